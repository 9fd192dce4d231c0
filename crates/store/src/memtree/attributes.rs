//! Which extended attributes a file system would take. Pure.
//!
//! What the kernel would refuse when a root is assembled is told when the image comes in.

use crate::tree::Kind;

type Attribute = (Vec<u8>, Vec<u8>);

/// The longest value, in bytes.
const VALUE_LIMIT: usize = 65_535;
/// What all of one entry may take together, in bytes.
const TOTAL_LIMIT: usize = 200_000;
/// The most of one entry: a manifest has no more.
const COUNT_LIMIT: usize = 4096;
/// The longest name, in bytes.
const NAME_LIMIT: usize = 255;

/// Takes away those that can't be set, and those that come twice; the names of the former.
pub(super) fn retain(xattrs: &mut Vec<Attribute>, kind: &Kind) -> Vec<Vec<u8>> {
    let mut dropped = Vec::new();
    let (mut total, mut count) = (0, 0);
    xattrs.dedup_by(|later, earlier| later.0 == earlier.0);
    xattrs.retain(|(name, value)| {
        total += name.len() + value.len();
        let is_kept = total <= TOTAL_LIMIT && count < COUNT_LIMIT && can_be_set(name, value, kind);
        count += usize::from(is_kept);
        if !is_kept {
            dropped.push(name.clone());
        }
        is_kept
    });
    dropped
}

fn can_be_set(name: &[u8], value: &[u8], kind: &Kind) -> bool {
    let is_folder = matches!(kind, Kind::Directory);
    match name {
        b"security.capability" => !is_folder && is_capability(value),
        b"system.posix_acl_access" => is_access_list(value),
        b"system.posix_acl_default" => is_folder && is_access_list(value),
        _ => {
            let rest = name.strip_prefix(b"user.");
            let is_named = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(&0));
            let has_any = is_folder || matches!(kind, Kind::File(_));
            has_any && is_named && name.len() <= NAME_LIMIT && value.len() <= VALUE_LIMIT
        }
    }
}

/// `struct vfs_cap_data` of version 2 or 3.
fn is_capability(value: &[u8]) -> bool {
    matches!((value.len(), value.get(3)), (20, Some(2)) | (24, Some(3)))
}

/// A POSIX access list as the kernel takes it: version 2, entries in their order, a mask where it needs one.
fn is_access_list(value: &[u8]) -> bool {
    const OWNER: u16 = 1;
    const USER: u16 = 2;
    const GROUP_OWNER: u16 = 4;
    const GROUP: u16 = 8;
    const MASK: u16 = 16;
    const OTHER: u16 = 32;
    let Some(entries) = value.strip_prefix(&[2, 0, 0, 0]) else { return false };
    if entries.is_empty() || entries.len() % 8 != 0 {
        return false;
    }
    let (mut last, mut seen) = (0, 0);
    for entry in entries.chunks_exact(8) {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let permissions = u16::from_le_bytes([entry[2], entry[3]]);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let is_named = matches!(tag, USER | GROUP);
        let is_known = is_named || matches!(tag, OWNER | GROUP_OWNER | MASK | OTHER);
        let is_in_order = tag > last || (tag == last && is_named);
        if !is_known || !is_in_order || permissions > 7 || (is_named && id == u32::MAX) {
            return false;
        }
        (last, seen) = (tag, seen | tag);
    }
    let needs_mask = seen & (USER | GROUP) != 0;
    seen & (OWNER | GROUP_OWNER | OTHER) == OWNER | GROUP_OWNER | OTHER
        && (!needs_mask || seen & MASK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Shape;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, permissions, id) in entries {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&permissions.to_le_bytes());
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn access_lists_as_the_kernel_takes_them() {
        let none = u32::MAX;
        let plain = [(1, 6, none), (4, 4, none), (32, 4, none)];
        assert!(is_access_list(&list(&plain)));
        assert!(is_access_list(&list(&[
            plain[0],
            (2, 7, 1000),
            plain[1],
            (16, 7, none),
            plain[2]
        ])));
        for bad in [
            list(&[]),
            list(&plain[..2]),
            list(&[plain[0], (2, 7, 1000), plain[1], plain[2]]),
            list(&[plain[1], plain[0], plain[2]]),
            list(&[(1, 8, none), plain[1], plain[2]]),
            list(&[plain[0], plain[1], (64, 1, none)]),
            b"x".to_vec(),
            vec![2, 0, 0, 0, 1],
        ] {
            assert!(!is_access_list(&bad), "{bad:?}");
        }
    }

    #[test]
    fn what_no_file_system_takes_goes() {
        let pair = |name: &[u8], length: usize| (name.to_vec(), vec![b'v'; length]);
        let mut all = vec![
            pair(b"security.capability", 20),
            pair(b"system.posix_acl_default", 28),
            pair(b"user.", 1),
            pair(b"user.a", 1),
            pair(b"user.a", 2),
            pair(b"user.large", 65_536),
        ];
        let file = Kind::File(Shape::default());
        assert_eq!(retain(&mut all, &file).len(), 4);
        assert_eq!(all, [pair(b"user.a", 1)]);
        let mut many: Vec<_> =
            (0..4100).map(|n| pair(format!("user.{n:04}").as_bytes(), 1)).collect();
        assert_eq!((retain(&mut many, &file).len(), many.len()), (4, 4096));
        let listed = list(&[(1, 6, u32::MAX), (4, 4, u32::MAX), (32, 4, u32::MAX)]);
        let listed = (b"system.posix_acl_access".to_vec(), listed);
        let mut of_pipe = vec![listed.clone(), pair(b"user.a", 1)];
        assert_eq!(retain(&mut of_pipe, &Kind::Fifo), [b"user.a"]);
        assert_eq!(of_pipe, [listed]);
    }
}
