//! What root does in a container.

use super::*;

/// Everything that may be done to a file, by whoever is root in a user namespace only.
const ATTACK: &str = r#"
cd "$1" || exit 1
test "$(id -u)" = 0 || exit 2
find . -xdev -type f -size -100k | while IFS= read -r f; do
  cat "$f" > /dev/null || exit 3
  chmod u+w "$f"; chown 5:5 "$f"; touch "$f"
  printf x | dd of="$f" conv=notrunc status=none
  printf x >> "$f"; truncate -s 1 "$f"; truncate -s 5000 "$f"
  ln "$f" "$f.second"; mv "$f" "$f.moved"; printf y > "$f.second"
  fallocate -p -o 0 -l 4096 "$f.moved" 2>/dev/null
  rm "$f.second"
done
mkdir new && echo mine > new/file && mv usr away && cat new/file
rm -rf ./* || exit 4
"#;

#[test]
fn nothing_that_root_does_inside_reaches_an_object() {
    if !inside("attack::nothing_that_root_does_inside_reaches_an_object") {
        return;
    }
    let place = Place::new();
    let from = place.at("from");
    furnish(&from);
    // Ids that the map has not are nobody's inside, even its root's.
    std::os::unix::fs::chown(from.join("listed"), Some(1), Some(1)).unwrap();
    let tree = place.build(&from);
    let (map, base) = (IdMap::of(1 << 19), 1 << 19);
    let layers =
        [(place.roots().image(&tree).unwrap(), true), (place.roots().links(&tree).unwrap(), false)];
    let (before, source) = (place.objects(), without_blocks(look(&layers[1].0)));
    for (path, is_image) in layers {
        let objects = place.roots().objects_dir();
        let layer = if is_image {
            Layer::Image { image: &path, objects: &objects }
        } else {
            Layer::Folder(&path)
        };
        let root = place.mount(layer, Some(map));
        let owner = |name: &str| fs::symlink_metadata(root.join(name)).unwrap().uid();
        assert_eq!(
            (owner("usr"), owner("closed"), owner("dangling")),
            (base, base + 1234, base + 33)
        );
        attack(&root, map);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "the attack did all it does");
        assert_eq!(place.objects(), before);
        volt_host::mounts::unmount_all(&root, volt_host::mounts::Unmount::Now).unwrap();
        for name in ["upper", "work"] {
            fs::remove_dir_all(place.at(name)).unwrap();
            fs::create_dir(place.at(name)).unwrap();
        }
    }
    assert_same(&source, &without_blocks(look(&place.roots().links_path(&tree))));
}

#[expect(clippy::disallowed_methods, reason = "the attack is made by programs in a user namespace")]
fn attack(root: &Path, map: IdMap) {
    use std::os::fd::AsFd;
    let namespace = UserNamespace::new(map).unwrap();
    let at = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_fd().as_raw_fd());
    let output = std::process::Command::new("nsenter")
        .args([&format!("--user={at}"), "--setuid=0", "--setgid=0", "sh", "-c", ATTACK, "attack"])
        .arg(root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"mine\n", "{}: {text}", output.status);
}
