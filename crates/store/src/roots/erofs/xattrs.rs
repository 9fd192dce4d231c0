//! Extended attributes as they follow an inode.

use crate::manifest::{Node, NodeKind};
use crate::roots::escaped;

/// The header before the attributes, in bytes.
const HEADER: usize = 12;

/// The beginnings of names that have a number, with the whole names first.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"user.", 1),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// How many there are, as an inode counts them: the header is one, then each four bytes.
pub(super) fn count(xattrs: &[u8]) -> u16 {
    if xattrs.is_empty() {
        return 0;
    }
    u16::try_from((xattrs.len() - HEADER) / 4 + 1).expect("it was checked")
}

/// The attributes of an entry: its own, and where its contents are.
pub(super) fn of(node: &Node) -> Result<Vec<u8>, &'static str> {
    let mut bytes = vec![0; HEADER];
    if let NodeKind::File(content) = &node.kind
        && content.size > 0
    {
        let hex = content.digest.hex();
        put(&mut bytes, b"trusted.overlay.metacopy", b"")?;
        let redirect = format!("/{}/{hex}", &hex[..2]);
        put(&mut bytes, b"trusted.overlay.redirect", redirect.as_bytes())?;
    }
    for (name, value) in &node.meta.xattrs {
        put(&mut bytes, &escaped(name), value)?;
    }
    match bytes.len() {
        HEADER => Ok(Vec::new()),
        length if (length - HEADER) / 4 < usize::from(u16::MAX) => Ok(bytes),
        _ => Err("its extended attributes are too large"),
    }
}

fn put(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let found = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    let Some((prefix, number)) = found else {
        return Err("it has an extended attribute that no file system has");
    };
    let rest = &name[prefix.len()..];
    if rest.is_empty() == prefix.ends_with(b".") {
        return Err("it has an extended attribute that no file system has");
    }
    if name.len() > 255 {
        return Err("the name of an extended attribute is too long");
    }
    let length = u8::try_from(rest.len()).map_err(|_| "the name of an attribute is too long")?;
    let size = u16::try_from(value.len()).map_err(|_| "the value of an attribute is too long")?;
    bytes.extend_from_slice(&[length, *number]);
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(())
}
