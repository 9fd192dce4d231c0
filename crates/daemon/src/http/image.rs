//! Images.

use super::convert;
use super::fields::{Fields, read};
use super::registry::account;
use crate::router::{Cx, Failure, Routes};
use std::collections::BTreeMap;
use std::net::IpAddr;
use volt_api::Problem;
use volt_api::operations::*;
use volt_api::types::{Image, ImageBuild, ImagePushed, Nothing};
use volt_engine::Engine;
use volt_engine::image::{
    Build, ByFile, Compression, Containerfile, ExportFormat, FromRegistry, ImageConfig, Meant,
    Pull, Push, Source, Steps, View,
};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .progress::<ImagePullOp>(|cx, _, body, report| {
            let pull = Pull {
                image: read("image", &body.image)?,
                registry: FromRegistry {
                    platform: body.platform,
                    account: body.account.map(account),
                },
                mirror: body.mirror,
                variant: body.variant,
                include: body.include,
                force: body.force,
            };
            Ok(shown(cx, cx.state.image_pull(pull, report)?))
        })
        .progress::<ImagePushOp>(|cx, _, body, report| {
            let mut fields = Fields::default();
            let image = fields.one::<Meant>("image", &body.image);
            let to = fields.maybe::<ImageRef>("to", body.to.as_deref());
            let with = fields.all::<Meant>("with", &body.with);
            let compression = body.compression.as_deref();
            let compression =
                compression.and_then(|text| fields.with("compression", text, layer_compression));
            let image = fields.finish(image)?;
            let account = body.account.map(account);
            let push = Push { image, to, with, compression, account };
            let pushed = cx.state.image_push(push, report)?;
            Ok(ImagePushed {
                name: pushed.name,
                digest: pushed.digest,
                sent: pushed.sent.bytes,
                present: pushed.sent.present,
            })
        })
        .upload_progress::<ImageImportOp>(|cx, params, body, report| {
            let name: ImageRef = read("image", &params.image)?;
            let source = match (params.path, &params.tree) {
                (Some(path), None) => {
                    // It is read with root's rights.
                    cx.require_root("importing from a path of the host")?;
                    Source::Path(path.into())
                }
                (None, Some(tree)) => Source::Tree(read("tree", tree)?),
                (None, None) => Source::Reader(Box::new(body)),
                (Some(_), Some(_)) => {
                    let title = "An image is made of a path or of a tree, not of both";
                    return Err(Failure::of_request(Problem::new(ErrorKind::Usage, title)));
                }
            };
            Ok(shown(cx, cx.state.image_import(&name, source, params.force, report)?))
        })
        .upload_progress::<ImageBuildOp>(|cx, params, body, report| {
            let source = match &params.path {
                Some(path) => {
                    // It is read with root's rights.
                    cx.require_root("building from a path of the host")?;
                    Source::Path(path.into())
                }
                None => Source::Reader(Box::new(body)),
            };
            if params.file.is_some() || params.containerfile.is_some() {
                // And so do its commands run.
                cx.require_root("building by a Containerfile")?;
            }
            let (build, how) = what_to_build(params, source)?;
            let view = match how {
                How::AsItIs(config) => cx.state.image_build(build, *config, report)?,
                How::ByFile(by) => cx.state.image_build_by_file(build, *by, report)?,
            };
            Ok(shown(cx, view))
        })
        .download::<ImageExportOp>(|cx, params, out| {
            let mut fields = Fields::default();
            let name = fields.one::<Meant>("image", &params.image);
            let compression = params.compression.as_deref().unwrap_or("none");
            let compression = fields.with("compression", compression, compression_of);
            let format = params.format.as_deref().unwrap_or("rootfs");
            let format = fields.with("format", format, format_of);
            let (name, how) = fields.finish(name.zip(format.zip(compression)))?;
            cx.state.image_export(&name, how, out)?;
            Ok(())
        })
        .plain::<ImageListOp>(|cx, _, _| {
            let all = cx.state.image_list()?;
            Ok(all.into_iter().map(|view| shown(cx, view)).collect())
        })
        .plain::<ImageInspectOp>(|cx, params, _| {
            let view = cx.state.image_inspect(&read("image", &params.image)?)?;
            Ok(shown(cx, view))
        })
        .plain::<ImageTagOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let from = fields.one::<ImageRef>("image", &params.image);
            let to = fields.one::<ImageRef>("to", &params.to);
            let (from, to) = fields.finish(from.zip(to))?;
            Ok(shown(cx, cx.state.image_tag(&from, &to)?))
        })
        .plain::<ImageDeleteOp>(|cx, params, _| {
            cx.state.image_delete(&read("image", &params.image)?)?;
            Ok(Nothing {})
        })
}

/// How an image is built.
enum How {
    AsItIs(Box<ImageConfig>),
    ByFile(Box<ByFile>),
}

/// What is asked for, of which each part is for one of the ways.
fn what_to_build(params: ImageBuild, source: Source) -> Result<(Build, How), Failure> {
    let image: ImageRef = read("image", &params.image)?;
    let refused = |title: &str| Err(Failure::of_request(Problem::new(ErrorKind::Usage, title)));
    let labels = params.labels.iter().map(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        (key.to_owned(), value.to_owned())
    });
    let (by_file, about_steps) = (by_file(&params)?, is_about_steps(&params));
    let config = ImageConfig {
        entrypoint: params.entrypoint,
        cmd: params.command,
        env: params.env,
        user: params.user,
        workdir: params.workdir,
        stop_signal: params.stop_signal,
        volumes: params.volumes,
        exposed_ports: params.exposed_ports,
        labels: labels.collect(),
        ..ImageConfig::default()
    };
    let how = match by_file {
        Some(mut by) => {
            by.steps.labels = config.labels;
            if (ImageConfig { labels: BTreeMap::new(), ..config }) != ImageConfig::default() {
                return refused("A Containerfile says itself how the image is run");
            }
            How::ByFile(Box::new(by))
        }
        None if about_steps => {
            return refused("Arguments and stages are those of a Containerfile, and there is none");
        }
        None => How::AsItIs(Box::new(config)),
    };
    Ok((Build { image, source, force: params.force }, how))
}

/// Whether something is asked for that only a Containerfile has.
fn is_about_steps(params: &ImageBuild) -> bool {
    let lists =
        [&params.build_args, &params.contexts, &params.secrets, &params.hosts, &params.ulimits];
    let words = [&params.target, &params.network, &params.platform];
    lists.iter().any(|list| !list.is_empty()) || words.iter().any(|word| word.is_some())
}

/// How the Containerfile is followed, where there is one.
fn by_file(params: &ImageBuild) -> Result<Option<ByFile>, Failure> {
    let file = match (&params.file, &params.containerfile) {
        (_, Some(text)) => Containerfile::Text(text.clone()),
        (Some(file), None) => Containerfile::File(file.clone()),
        (None, None) => return Ok(None),
    };
    let mut fields = Fields::default();
    let mut pairs = |field: &'static str, texts: &[String]| -> Vec<(String, String)> {
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
            Some((name.to_owned(), value.to_owned()))
        };
        let read =
            |text: &String| fields.with(field, text, |text| pair(text).ok_or("write NAME=VALUE"));
        texts.iter().filter_map(read).collect()
    };
    let paths = |pairs: Vec<(String, String)>| {
        pairs.into_iter().map(|(name, path)| (name, path.into())).collect()
    };
    let contexts = paths(pairs("contexts", &params.contexts));
    let secrets = paths(pairs("secrets", &params.secrets));
    let hosts = pairs("hosts", &params.hosts);
    let address = |(name, address): (String, String)| {
        let read = fields.with("hosts", &address, |text| text.parse::<IpAddr>());
        read.map(|address| (name, address))
    };
    let hosts = hosts.into_iter().filter_map(address).collect();
    let ulimits = fields.all("ulimits", &params.ulimits);
    let network = params.network.as_deref().unwrap_or("host");
    let offline = fields.with("network", network, |text| match text {
        "none" => Ok(true),
        "host" | "default" => Ok(false),
        _ => Err("write host or none: what a build runs has no networks of Volt's"),
    });
    let offline = fields.finish(offline)?;
    let steps = Steps { labels: BTreeMap::new(), contexts, secrets, hosts, ulimits, offline };
    Ok(Some(ByFile {
        file,
        args: params.build_args.clone(),
        target: params.target.clone(),
        platform: params.platform.clone(),
        steps,
    }))
}

fn compression_of(text: &str) -> Result<Compression, &'static str> {
    match text {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "xz" => Ok(Compression::Xz),
        "zstd" => Ok(Compression::Zstd),
        _ => Err("write none, gzip, xz or zstd"),
    }
}

fn layer_compression(text: &str) -> Result<Compression, &'static str> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err("write gzip or zstd"),
    }
}

fn format_of(text: &str) -> Result<ExportFormat, &'static str> {
    match text {
        "rootfs" => Ok(ExportFormat::Rootfs),
        "oci" => Ok(ExportFormat::Oci),
        "docker" => Ok(ExportFormat::Docker),
        _ => Err("write rootfs, oci or docker"),
    }
}

/// An image as it is shown.
pub(super) fn shown(cx: &Cx<Engine>, view: View) -> Image {
    let image = view.image;
    Image {
        name: image.name.to_string(),
        created: image.created.to_string(),
        tree: image.tree.to_string(),
        size: image.size,
        entries: image.entries,
        architecture: image.architecture.unwrap_or_default(),
        os: image.os.unwrap_or_default(),
        source: image.source,
        entrypoint: image.config.entrypoint,
        command: image.config.cmd,
        env: convert::env(image.config.env, cx.sees_secrets()),
        user: image.config.user,
        workdir: image.config.workdir,
        stop_signal: image.config.stop_signal,
        volumes: image.config.volumes,
        exposed_ports: image.config.exposed_ports,
        labels: image.config.labels,
        healthcheck: image.config.healthcheck,
        boot: image.config.boot,
        neutralised: convert::left_out(image.neutralised),
        used_by: view.used_by.iter().map(ToString::to_string).collect(),
        snapshots: view.snapshots,
    }
}
