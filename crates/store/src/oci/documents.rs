//! The documents of OCI images and of Docker's archives: what of them matters here, read strictly. Pure.
//!
//! Whoever made them may lie: they are bounded before they are read, lists are bounded, and a digest is one of SHA-256 or
//! SHA-512, or the document is refused. What is not known here is passed over, as OCI wants it; `null` stands for nothing, as Docker writes it.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use volt_model::registry::Digest as BlobDigest;

/// The largest document that is read, in bytes: what registries take.
pub(crate) const DOCUMENT_LIMIT: u64 = 4 << 20;
/// The most layers of an image.
const LAYERS: usize = 500;
/// The most entries of an index.
const MANIFESTS: usize = 1000;
/// The most entries of a list in a config.
const LIST: usize = 10_000;

/// The media types of indexes.
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// The media types of manifests.
const MANIFEST_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default, deserialize_with = "null")]
    pub(crate) media_type: String,
    pub(crate) digest: BlobDigest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Whether it points to an index or a manifest.
    pub(crate) fn is_document(&self) -> bool {
        INDEXES.iter().chain(&MANIFEST_TYPES).any(|known| *known == self.media_type)
    }

    /// What it is called in a layout.
    pub(crate) fn name(&self) -> Option<&str> {
        self.annotations.get("org.opencontainers.image.ref.name").map(String::as_str)
    }
}

/// For what an image is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Platform {
    #[serde(default, deserialize_with = "null")]
    pub(crate) architecture: String,
    #[serde(default, deserialize_with = "null")]
    pub(crate) os: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
}

/// An index, or a manifest: which of them is told by what is in it.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Any {
    schema_version: u32,
    #[serde(default, deserialize_with = "null")]
    media_type: String,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads an index or a manifest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let any: Any = parse("index or manifest", bytes)?;
        let bad = |why: &str| Err(Error::Damaged(format!("its index or manifest {why}")));
        if any.schema_version != 2 {
            return bad("is of a version that is not known here");
        }
        let may_be =
            |types: &[&str]| any.media_type.is_empty() || types.contains(&&*any.media_type);
        match (any.manifests, any.config, any.layers) {
            (Some(manifests), None, None) if may_be(&INDEXES) => {
                if manifests.len() > MANIFESTS {
                    return bad("has too many entries");
                }
                Ok(Self::Index(manifests))
            }
            (None, Some(config), Some(layers)) if may_be(&MANIFEST_TYPES) => {
                if layers.len() > LAYERS {
                    return bad("has too many layers");
                }
                Ok(Self::Manifest(Manifest { config, layers }))
            }
            _ => bad("is neither the one nor the other"),
        }
    }
}

/// How an image wants to be run, and what its layers are when they are unpacked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    #[serde(default, deserialize_with = "null")]
    pub(crate) architecture: String,
    #[serde(default, deserialize_with = "null")]
    pub(crate) os: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    #[serde(default, deserialize_with = "null")]
    pub(crate) config: Run,
    pub(crate) rootfs: RootFs,
}

/// The layers of an image, unpacked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) diff_ids: Vec<BlobDigest>,
}

/// How a container of an image is run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Run {
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) volumes: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<serde_json::Value>,
}

impl Config {
    /// Reads a config.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let config: Self = parse("config", bytes)?;
        let bad = |why: &str| Err(Error::Damaged(format!("its config {why}")));
        let run = &config.config;
        let lengths = [
            run.exposed_ports.len(),
            run.env.len(),
            run.entrypoint.len(),
            run.cmd.len(),
            run.volumes.len(),
            run.labels.len(),
        ];
        if lengths.into_iter().any(|length| length > LIST) {
            return bad("has a list that is too long");
        }
        if config.rootfs.kind != "layers" || config.rootfs.diff_ids.len() > LAYERS {
            return bad("has no layers, or too many");
        }
        let words = run.env.iter().chain(&run.entrypoint).chain(&run.cmd).chain(run.volumes.keys());
        let single = [&run.user, &run.working_dir, &run.stop_signal];
        let has_nul = |word: &String| word.contains('\0');
        if { words }.any(has_nul) || single.into_iter().any(has_nul) {
            return bad("has a NUL byte in a word");
        }
        Ok(config)
    }
}

/// An image of an archive as `docker save` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Saved {
    pub(crate) config: String,
    #[serde(default, deserialize_with = "null")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "null")]
    pub(crate) layers: Vec<String>,
}

impl Saved {
    /// Reads `manifest.json`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Self>> {
        let all: Vec<Self> = parse("manifest.json", bytes)?;
        if all.len() > MANIFESTS || all.iter().any(|one| one.layers.len() > LAYERS) {
            return Err(Error::Damaged("its manifest.json is too long".into()));
        }
        Ok(all)
    }
}

/// Reads bytes as each of the documents, for a fuzzer.
pub(crate) fn read_any(bytes: &[u8]) {
    drop((Document::parse(bytes), Config::parse(bytes), Saved::parse(bytes)));
}

fn parse<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T> {
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        return Err(Error::Damaged(format!("its {what} is larger than 4 MiB")));
    }
    // The reader of JSON bounds how deep it goes itself.
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Damaged(format!("its {what} can't be read: {error}")))
}

/// `null` stands for nothing.
fn null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: &str) -> String {
        format!("sha256:{}", byte.repeat(32))
    }

    #[test]
    fn documents_as_they_are_written() {
        let blob = |kind: &str| {
            format!(r#"{{"mediaType":"{kind}","digest":"{}","size":7,"urls":null}}"#, digest("ab"))
        };
        let manifest =
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, blob("c"), blob("l"));
        assert!(matches!(
            Document::parse(manifest.as_bytes()),
            Ok(Document::Manifest(Manifest { layers, .. })) if layers.len() == 1
        ));
        let index =
            format!(r#"{{"schemaVersion":2,"manifests":[{}],"annotations":null}}"#, blob("m"));
        assert!(
            matches!(Document::parse(index.as_bytes()), Ok(Document::Index(all)) if all.len() == 1)
        );
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":null,"Cmd":["a"],"Volumes":{{"/data":{{}}}},
                "Healthcheck":{{"Test":["CMD","x"]}},"StopSignal":"SIGQUIT"}},"rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[]}}"#,
            digest("00")
        );
        let config = Config::parse(config.as_bytes()).unwrap();
        assert_eq!((config.config.cmd.len(), config.config.env.len()), (1, 0));
        assert_eq!(config.config.volumes.keys().next().unwrap(), "/data");
        assert!(config.config.healthcheck.is_some());
        let saved =
            Saved::parse(br#"[{"Config":"c.json","RepoTags":null,"Layers":["a/layer.tar"]}]"#);
        assert_eq!(saved.unwrap()[0].layers, ["a/layer.tar"]);
    }

    #[test]
    fn what_is_refused() {
        let deep = format!(r#"{{"schemaVersion":2,"x":{}"#, "[".repeat(100_000));
        for bad in [
            "",
            "[]",
            r#"{"schemaVersion":1,"manifests":[]}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[{"digest":"sha512:00","size":1}]}"#,
            r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../etc/passwd","size":1}]}"#,
            r#"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#,
            &deep,
        ] {
            assert!(Document::parse(bad.as_bytes()).is_err(), "{bad:.80}");
        }
        let size = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"{}","size":-1}}]}}"#,
            digest("00")
        );
        assert!(Document::parse(size.as_bytes()).is_err());
        for bad in [
            r#"{"rootfs":{"type":"x","diff_ids":[]}}"#,
            r#"{"config":{"Env":["a\u0000b"]},"rootfs":{"type":"layers","diff_ids":[]}}"#,
            r#"{"config":{}}"#,
        ] {
            assert!(Config::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Saved::parse(&vec![b' '; 5 << 20]).is_err());
    }
}
