//! Of which chunks the large objects of a tree are. Pure.
//!
//! ```text
//! the line `volt-recipes 1` and a newline
//! number of objects; each: its BLAKE3 (32 bytes), its number of chunks, at least one, and the BLAKE3 of each; ordered by object
//! the byte `.`
//! ```

use super::index::{Input, number};
use crate::digest::Digest;
use crate::error::Result;
use std::collections::BTreeMap;

const MAGIC: &[u8] = b"volt-recipes 1\n";

/// Objects with their chunks.
pub(super) type Recipes = BTreeMap<Digest, Vec<Digest>>;

/// Writes them.
pub(super) fn encode(recipes: &Recipes) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    number(&mut out, recipes.len() as u64);
    for (object, chunks) in recipes {
        out.extend_from_slice(object.as_bytes());
        number(&mut out, chunks.len() as u64);
        for chunk in chunks {
            out.extend_from_slice(chunk.as_bytes());
        }
    }
    out.push(b'.');
    out
}

/// Reads them.
pub(super) fn decode(bytes: &[u8]) -> Result<Recipes> {
    let mut input = Input { rest: bytes, what: "list of large objects" };
    input.expect(MAGIC)?;
    let mut recipes = Recipes::new();
    for _ in 0..input.count(33)? {
        let object = input.digest()?;
        if recipes.last_key_value().is_some_and(|(last, _)| *last >= object) {
            return Err(input.wrong("it is not in order"));
        }
        let count = input.count(32)?;
        if count == 0 {
            return Err(input.wrong("an object has no chunks"));
        }
        let chunks = (0..count).map(|_| input.digest()).collect::<Result<_>>()?;
        recipes.insert(object, chunks);
    }
    input.end()?;
    Ok(recipes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(all in prop::collection::btree_map(any::<[u8; 32]>(), prop::collection::vec(any::<[u8; 32]>(), 1..4), 0..4)) {
            let digests = |all: Vec<[u8; 32]>| all.into_iter().map(Digest::from_bytes).collect();
            let recipes: Recipes =
                all.into_iter().map(|(object, chunks)| (Digest::from_bytes(object), digests(chunks))).collect();
            let bytes = encode(&recipes);
            prop_assert_eq!(decode(&bytes).unwrap(), recipes);
            prop_assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn whatever_is_read_is_written_so(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let bytes = [MAGIC, &bytes].concat();
            if let Ok(recipes) = decode(&bytes) {
                prop_assert_eq!(encode(&recipes), bytes);
            }
        }
    }
}
