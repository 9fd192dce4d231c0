//! Sending an image to a registry.

use crate::error::{Error, Result};
use crate::registry::{Parcel, over, send};
use crate::{Engine, Progress};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, Remote};
use volt_store::{Compression, Meant, ReadyImage};

pub use crate::registry::Sent;

/// What to push.
#[derive(Clone, Debug)]
pub struct Push {
    /// The image.
    pub image: Meant,
    /// What it is to be called there; as here where nothing is said.
    pub to: Option<ImageRef>,
    /// Images for other platforms that go under the same name.
    pub with: Vec<Meant>,
    /// How its layer is compressed; what was pulled is made anew then.
    pub compression: Option<Compression>,
    /// Who the caller is, and at which registry.
    pub account: Option<(String, Account)>,
}

/// An image that a registry has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What it is called there.
    pub name: String,
    /// The digest of its manifest, or of the index.
    pub digest: String,
    /// How much had to be sent.
    pub sent: Sent,
}

impl Engine {
    /// Sends an image to a registry: only the blobs that are not there, then the manifest; for several platforms an index of
    /// them.
    ///
    /// # Errors
    /// `NotFound`; `Usage` where the name can't be one there; `Permission` and `Network` by what the registry says.
    pub fn image_push(&self, push: Push, progress: &dyn Progress) -> Result<Pushed> {
        let config = self.config()?.image;
        let to = match (&push.to, &push.image) {
            (Some(to), _) | (None, Meant::Image(to)) => to,
            (None, Meant::Tree(_)) => {
                let title = format!("{} has no name at a registry", push.image);
                return Err(Error::new(ErrorKind::Usage, title)
                    .hinted("Say behind it what it is to be called there"));
            }
        };
        super::refuse_digest(to)?;
        let remote = Remote::of(to, &config.registry);
        let client = self.registry_client(push.account, over(progress)).map_err(|e| e.about(to))?;
        let names = std::iter::once(&push.image).chain(&push.with);
        let images: Vec<ReadyImage> = names
            .map(|name| Ok(self.images().ready(name, push.compression, progress)?))
            .collect::<Result<_>>()?;
        let elsewhere = self.repositories_of(&remote, &config.registry)?;
        let mut parcels: Vec<Parcel<'_>> = Vec::new();
        for blob in images.iter().flat_map(|image| &image.blobs) {
            if parcels.iter().all(|other| other.blob.digest != blob.digest) {
                let from = elsewhere.iter().find(|(digest, _)| *digest == blob.digest);
                parcels.push(Parcel { blob, from: from.map(|(_, from)| from.clone()) });
            }
        }
        let sent = send(&client, &remote, &parcels, progress).map_err(|e| e.about(to))?;
        let one = |remote: &Remote, media_type: &str, bytes: &[u8]| {
            let digest = client.push_manifest(remote, media_type, bytes);
            digest.map_err(|error| Error::from(error).about(to))
        };
        let digest = if let [image] = &images[..] {
            one(&remote, &image.media_type, &image.manifest)?
        } else {
            let (index, media_type) = ReadyImage::index(&images)?;
            for image in &images {
                let digest = volt_registry::Digest::of(&image.manifest);
                one(&remote.at(digest.as_str()), &image.media_type, &image.manifest)?;
            }
            one(&remote, media_type, &index)?
        };
        Ok(Pushed { name: remote.to_string(), digest: digest.to_string(), sent })
    }

    /// Which blobs other repositories of a registry have, by what was pulled from there.
    fn repositories_of(&self, remote: &Remote, short: &str) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for image in self.images().list()? {
            let at = Remote::of(&image.name, short);
            if at.host == remote.host && at.repository != remote.repository {
                let blobs = image.blobs.into_iter().skip(1);
                all.extend(blobs.map(|blob| (blob.digest, at.repository.clone())));
            }
        }
        Ok(all)
    }
}
