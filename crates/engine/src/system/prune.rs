//! Removing what nothing uses.

use super::df::size;
use crate::Engine;
use crate::error::Result;
use volt_host::files;
use volt_model::kind::ErrorKind;

/// What to prune beside garbage and the cache, which always go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// Images that no container uses.
    pub images: bool,
    /// Volumes that no container mounts.
    pub volumes: bool,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was pruned, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What went, as `kind name`.
    pub removed: Vec<String>,
    /// Bytes freed.
    pub freed: u64,
}

impl Engine {
    /// Removes what nothing uses.
    ///
    /// # Errors
    /// With the first thing that could not be removed; what went before it is gone.
    pub fn system_prune(&self, options: PruneOptions) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        if options.images {
            self.prune_images(options.dry_run, &mut pruned)?;
        }
        if options.volumes {
            self.prune_volumes(options.dry_run, &mut pruned)?;
        }
        self.prune_garbage(options.dry_run, &mut pruned)?;
        self.prune_cache(options.dry_run, &mut pruned)?;
        self.prune_cas(options.dry_run, &mut pruned)?;
        Ok(pruned)
    }

    fn prune_images(&self, dry_run: bool, pruned: &mut Pruned) -> Result<()> {
        let users = self.tree_users()?;
        let freed = self.images_df()?.reclaimable;
        for image in self.images().list()? {
            if users.contains_key(&image.tree.to_string()) {
                continue;
            }
            if !dry_run {
                match self.delete_image_name(&image.name) {
                    // Used or removed since it was looked at.
                    Err(e) if matches!(e.kind, ErrorKind::Conflict | ErrorKind::NotFound) => {
                        continue;
                    }
                    other => other?,
                }
            }
            pruned.removed.push(format!("image {}", image.name));
        }
        if dry_run {
            pruned.freed += freed;
        }
        // Else their objects go with those of all others, and are counted with them.
        Ok(())
    }

    fn prune_volumes(&self, dry_run: bool, pruned: &mut Pruned) -> Result<()> {
        let users = crate::volume::users(&self.every_spec()?);
        for name in self.volume_names()? {
            if users.contains_key(&name) {
                continue;
            }
            let bytes = size(&self.volume_data(&name));
            if !dry_run {
                match self.volume_delete(&name) {
                    Err(e) if matches!(e.kind, ErrorKind::Conflict | ErrorKind::NotFound) => {
                        continue;
                    }
                    other => other?,
                }
            }
            pruned.removed.push(format!("volume {name}"));
            pruned.freed += bytes;
        }
        Ok(())
    }

    /// What crashes left of images, and stages that nobody holds.
    fn prune_garbage(&self, dry_run: bool, pruned: &mut Pruned) -> Result<()> {
        use volt_store::Problem;
        let users = |tree: &volt_store::Digest| self.users_of_tree(tree);
        let garbage: Vec<(std::path::PathBuf, u64)> = self
            .images()
            .check(&users)?
            .into_iter()
            .filter_map(|problem| match problem {
                Problem::Abandoned { path } => Some((path.clone(), size(&path))),
                _ => None,
            })
            .collect();
        if !dry_run && !garbage.is_empty() {
            self.sweep_leftovers();
        }
        for (path, bytes) in garbage {
            pruned.removed.push(format!("garbage {}", path.display()));
            pruned.freed += bytes;
        }
        Ok(())
    }

    /// Objects that nothing reaches.
    fn prune_cas(&self, dry_run: bool, pruned: &mut Pruned) -> Result<()> {
        let swept = self.cas_gc(dry_run)?;
        if swept.objects > 0 {
            pruned.removed.push(format!("cas {} objects", swept.objects));
            pruned.freed += swept.on_disk;
        }
        Ok(())
    }

    fn prune_cache(&self, dry_run: bool, pruned: &mut Pruned) -> Result<()> {
        let entries = std::fs::read_dir(&self.paths().cache).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            // Somebody may be fetching them.
            let bytes = if path == self.paths().downloads() {
                volt_store::forget_downloads(&path, dry_run)?
            } else {
                let bytes = size(&path);
                if !dry_run {
                    files::remove_tree(&path)?;
                }
                bytes
            };
            if bytes == 0 {
                continue;
            }
            pruned.removed.push(format!("cache {}", entry.file_name().to_string_lossy()));
            pruned.freed += bytes;
        }
        Ok(())
    }
}
