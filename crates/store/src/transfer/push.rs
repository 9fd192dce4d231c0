//! From the store to a registry: packs of what is in none of the packs that are there.

use super::artifact::{About, Artifact, MANIFEST, PackOf};
use super::index::{self, FRAME, Frame};
use super::recipes::{self, Recipes};
use super::{CHUNK, ENTRIES, LISTS, Shelf, TREE, chunks, small};
use crate::cas::{Cas, Lease, Pointer};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::images::{ReadyBlob, Source};
use crate::oci::{BlobDigest, BlobHasher};
use crate::progress::Progress;
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use volt_host::files::Stage;

/// How many other tags are looked at for packs.
const TAGS: usize = 16;
/// How much a frame has of chunks before it ends, in bytes.
const FULL_FRAME: u64 = FRAME - CHUNK;
/// How much a pack has of chunks before it ends, in bytes.
const FULL_PACK: u64 = 64 << 20;
/// How many packs are made before they are sent, all at once.
const GROUP: usize = 4;
/// How many packs with less than [`FEW`] are used again: others are made anew, as one.
const SMALL_PACKS: usize = 16;
/// What makes a pack a small one, in bytes.
const FEW: u64 = 1 << 20;

/// What to push.
#[derive(Clone, Copy)]
pub struct TreePush<'a> {
    /// The tree.
    pub tree: &'a Pointer,
    /// Where to.
    pub shelf: &'a dyn Shelf,
    /// Where small lists lie that were read before.
    pub cache: &'a Path,
    /// Where stages are made.
    pub stages: &'a Path,
}

impl std::fmt::Debug for TreePush<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TreePush({})", self.tree)
    }
}

/// A tree that a registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedTree {
    /// The tree.
    pub tree: Digest,
    /// The digest of its manifest there.
    pub digest: String,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes of packs that were there.
    pub present: u64,
}

/// A chunk, and where it is in the store.
struct Piece {
    chunk: Digest,
    length: u64,
    object: Digest,
    offset: u64,
}

/// A pack that the registry has.
struct Known {
    of: PackOf,
    frames: Vec<Frame>,
}

impl Cas {
    /// Sends a tree to a registry: only what is in none of its packs there.
    pub fn push_tree(&self, push: TreePush<'_>, progress: &dyn Progress) -> Result<PushedTree> {
        let lease = self.lease_to_read()?;
        let tree = self.resolve(push.tree)?;
        progress.step("Reading the tree");
        let (pieces, recipes) = self.pieces(&tree, &lease, progress)?;
        progress.step("Asking what is there");
        let mut missing: HashSet<Digest> = pieces.iter().map(|piece| piece.chunk).collect();
        let used = choose(known_packs(push)?, &mut missing);
        let present = used.iter().map(|known| known.of.pack.size).sum();
        let mut packs: Vec<PackOf> = used.into_iter().map(|known| known.of).collect();
        let left: Vec<Piece> =
            pieces.into_iter().filter(|piece| missing.remove(&piece.chunk)).collect();
        let new = in_packs(&left);
        Artifact::refuse_too_many(packs.len() + new.len())?;
        let mut sent = self.send_packs(push, &new, &mut packs, progress)?;

        let recipes = blob(recipes::encode(&recipes));
        let about = blob(About::new(tree).encode()?);
        let key = |blob: &(BlobDigest, ReadyBlob)| (blob.0.clone(), blob.1.size);
        let manifest = Artifact::new(key(&about), key(&recipes), packs).encode()?;
        sent += push.shelf.send(&[recipes.1, about.1], progress)?;
        let digest = push.shelf.publish(MANIFEST, &manifest)?;
        Ok(PushedTree { tree, digest, sent, present })
    }

    /// The chunks of a tree and of all that is in it, each once, in the tree's order; and of which of them large objects are.
    fn pieces(
        &self,
        digest: &Digest,
        lease: &Lease,
        progress: &dyn Progress,
    ) -> Result<(Vec<Piece>, Recipes)> {
        let objects = self.objects();
        let size = objects.size(digest)?;
        let unpulled = |reason: String| {
            let reason = format!("nobody pulls it: {reason}");
            Error::Unsupported { what: "pushing this tree".into(), reason }
        };
        if size > TREE {
            return Err(unpulled(format!("its manifest has {size} bytes, more than {TREE}")));
        }
        let tree = self.tree_of_at_most(digest, ENTRIES).map_err(|error| match error {
            Error::Damaged(reason) => unpulled(reason),
            error => error,
        })?;
        let contents = tree.contents().map(|(_, content)| (content.digest, content.size));
        let all: Vec<(Digest, u64)> = std::iter::once((*digest, size)).chain(contents).collect();
        if let Some(missing) = objects.pin_all(lease, &all)?.into_iter().next() {
            let reason = "the object is missing or cut short".to_owned();
            let path = objects.path(&missing);
            return Err(Error::Corrupt { path, reason });
        }
        let (mut pieces, mut recipes) = (Vec::new(), Recipes::new());
        let (mut objects_seen, mut chunks_seen) = (HashSet::new(), HashSet::new());
        let mut done = 0;
        for (object, size) in all {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            // Nothing has to be sent for nothing.
            if size == 0 || !objects_seen.insert(object) {
                continue;
            }
            done += size;
            progress.bytes(done, None);
            let mut offset = 0;
            let mut add = |chunk: Digest, length: u64| {
                if chunks_seen.insert(chunk) {
                    pieces.push(Piece { chunk, length, object, offset });
                }
                offset += length;
            };
            if size <= CHUNK {
                add(object, size);
                continue;
            }
            let mut recipe = Vec::new();
            self.cut_object(&object, &mut |bytes| {
                if progress.cancelled() {
                    return Err(Error::Cancelled);
                }
                let chunk = Digest::of(bytes);
                recipe.push(chunk);
                add(chunk, bytes.len() as u64);
                Ok(())
            })?;
            recipes.insert(object, recipe);
        }
        Ok((pieces, recipes))
    }

    /// Calls `each` with the chunks of an object. An error may come behind the last of them: it is not what its name says.
    pub(super) fn cut_object(
        &self,
        object: &Digest,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let path = self.objects().path(object);
        let mut file = self.objects().open(object)?;
        let mut hasher = blake3::Hasher::new();
        chunks::cut(&mut file, |error| Error::io("read", &path, error), &mut |chunk| {
            hasher.update(chunk);
            each(chunk)
        })?;
        if Digest::from(hasher.finalize()) == *object {
            return Ok(());
        }
        let reason = "the object's contents are not what its name says".to_owned();
        Err(Error::Corrupt { path, reason })
    }

    /// Makes packs, each of these chunks, and sends them, some at a time. How many bytes were sent.
    fn send_packs(
        &self,
        push: TreePush<'_>,
        new: &[&[Piece]],
        packs: &mut Vec<PackOf>,
        progress: &dyn Progress,
    ) -> Result<u64> {
        let mut sent = 0;
        for group in new.chunks(GROUP) {
            progress.step("Packing");
            let stage = Stage::new(push.stages, "push")?;
            let mut ready = Vec::new();
            for (number, pieces) in group.iter().enumerate() {
                let path = stage.path().join(number.to_string());
                let (index, pack) = self.pack(pieces, &path, progress)?;
                packs.push(PackOf::new((index.0, index.1.size), (pack.0, pack.1.size)));
                ready.extend([index.1, pack.1]);
            }
            sent += push.shelf.send(&ready, progress)?;
        }
        Ok(sent)
    }

    /// Writes a pack to a file; its index, and itself.
    fn pack(
        &self,
        pieces: &[Piece],
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<((BlobDigest, ReadyBlob), (BlobDigest, ReadyBlob))> {
        let failed = |error| Error::io("write", path, error);
        let mut file = File::create_new(path).map_err(failed)?;
        let mut hasher = BlobHasher::default();
        let (mut frames, mut size) = (Vec::new(), 0);
        let (mut plain, mut chunks) = (Vec::new(), Vec::new());
        let mut open: Option<(Digest, File)> = None;
        for (at, piece) in pieces.iter().enumerate() {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            self.read_piece(piece, &mut open, &mut plain)?;
            chunks.push((piece.chunk, piece.length));
            if plain.len() as u64 >= FULL_FRAME || at + 1 == pieces.len() {
                let frame = zstd::bulk::compress(&plain, 3).map_err(Error::Input)?;
                file.write_all(&frame).map_err(failed)?;
                hasher.update(&frame);
                let stored = frame.len() as u64;
                let chunks = std::mem::take(&mut chunks);
                frames.push(Frame { offset: size, stored, chunks });
                size += stored;
                plain.clear();
            }
        }
        let digest = hasher.finish();
        let ready =
            ReadyBlob { digest: digest.to_string(), size, source: Source::File(path.to_owned()) };
        Ok((blob(index::encode(&frames)), (digest, ready)))
    }

    /// Adds a chunk's bytes, which are what its name says.
    fn read_piece(
        &self,
        piece: &Piece,
        open: &mut Option<(Digest, File)>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let path = self.objects().path(&piece.object);
        let failed = |error| Error::io("read", &path, error);
        let begin = out.len();
        if open.as_ref().is_none_or(|(object, _)| *object != piece.object) {
            *open = Some((piece.object, self.objects().open(&piece.object)?));
        }
        let Some((_, file)) = open else { unreachable!("it was opened") };
        file.seek(SeekFrom::Start(piece.offset)).map_err(failed)?;
        file.take(piece.length).read_to_end(out).map_err(failed)?;
        if Digest::of(&out[begin..]) == piece.chunk {
            return Ok(());
        }
        let reason = "the object's contents are not what its name says".to_owned();
        Err(Error::Corrupt { path, reason })
    }
}

/// The packs of the tree that the name stands for, and of other tags, each once.
fn known_packs(push: TreePush<'_>) -> Result<Vec<Known>> {
    let mut documents: Vec<Vec<u8>> = push.shelf.document(None)?.into_iter().collect();
    for tag in push.shelf.tags()?.iter().rev().take(TAGS) {
        documents.extend(push.shelf.document(Some(tag))?);
    }
    let (mut known, mut seen, mut lists) = (Vec::new(), HashSet::new(), 0_u64);
    for document in documents.iter().filter(|bytes| Artifact::is_one(bytes)) {
        let Ok(artifact) = Artifact::parse(document) else { continue };
        for of in artifact.packs {
            if !seen.insert(of.pack.digest.clone()) {
                continue;
            }
            lists = lists.saturating_add(of.index.size);
            if lists > LISTS {
                // What is in the others is sent again.
                return Ok(known);
            }
            let index = small(push.shelf, push.cache, of.index.key());
            match index.and_then(|bytes| index::decode(&bytes, Some(of.pack.size))) {
                Ok(frames) => known.push(Known { of, frames }),
                // One that can't be read is as good as none: what is in it is sent again.
                Err(error) => tracing::warn!(%error, "an index is passed over"),
            }
        }
    }
    Ok(known)
}

/// The packs that are used again, those with most first: at least half of each is needed, and not too many are small. What they have is
/// taken out of `missing`.
fn choose(known: Vec<Known>, missing: &mut HashSet<Digest>) -> Vec<Known> {
    let needed = |known: &Known, missing: &HashSet<Digest>| -> u64 {
        let chunks = known.frames.iter().flat_map(|frame| &frame.chunks);
        chunks.filter(|(chunk, _)| missing.contains(chunk)).map(|(_, length)| length).sum()
    };
    let mut by_need: Vec<(u64, Known)> =
        known.into_iter().map(|known| (needed(&known, missing), known)).collect();
    by_need.sort_by(|a, b| (b.0, &a.1.of.pack.digest).cmp(&(a.0, &b.1.of.pack.digest)));
    let (mut used, mut small_ones) = (Vec::new(), 0);
    for (_, known) in by_need {
        let whole: u64 = known.frames.iter().map(Frame::plain).sum();
        // Others may have taken some of it.
        let need = needed(&known, missing);
        let is_small = whole < FEW;
        if need == 0 || need * 2 < whole || (is_small && small_ones == SMALL_PACKS) {
            continue;
        }
        small_ones += usize::from(is_small);
        for (chunk, _) in known.frames.iter().flat_map(|frame| &frame.chunks) {
            missing.remove(chunk);
        }
        used.push(known);
    }
    used
}

/// The chunks of each pack.
fn in_packs(mut rest: &[Piece]) -> Vec<&[Piece]> {
    let mut packs = Vec::new();
    while !rest.is_empty() {
        let (mut plain, mut count) = (0, 0);
        while count < rest.len() && plain < FULL_PACK {
            plain += rest[count].length;
            count += 1;
        }
        let (now, later) = rest.split_at(count);
        packs.push(now);
        rest = later;
    }
    packs
}

/// Bytes as a blob.
fn blob(bytes: Vec<u8>) -> (BlobDigest, ReadyBlob) {
    let digest = BlobDigest::of(&bytes);
    let (size, name) = (bytes.len() as u64, digest.to_string());
    (digest, ReadyBlob { digest: name, size, source: Source::Bytes(bytes) })
}
