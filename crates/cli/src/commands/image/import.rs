//! `volt image import`.

use crate::copy::file_problem;
use crate::copy::pack::{self, Owners, Packed};
use crate::ctx::Ctx;
use crate::input;
use crate::output::{Outcome, Output};
use clap::ValueHint;
use std::path::{Path, PathBuf};
use volt_api::operations::ImageImportOp;
use volt_api::types::{Image, ImageImport};

const EXAMPLES: &str = "\
Examples:
  volt image import rootfs.tar.zst my/base:1
  volt image import ./rootfs my/base:2
  docker save app | volt image import - app
  volt image import stellarium://site my/site:1
  curl -L https://example.org/rootfs.tar.gz | volt image import - my/base:3";

/// Take in a root file system, an OCI layout or a Docker archive as an image
///
/// A tar archive (plain, gz, xz or zst), a folder, - for an archive on standard input, or stellarium:// and a tree of the store.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Replace the image of that name
    #[arg(long, short)]
    force: bool,
    /// The archive or folder, -, or stellarium://REF
    #[arg(value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    source: PathBuf,
    /// What to call it
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Takes it in.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let tree = args.source.to_str().filter(|text| text.starts_with("stellarium://"));
    let tree = tree.map(str::to_owned);
    let import = ImageImport { image: args.image, path: None, tree, force: args.force };
    let image = if import.tree.is_some() {
        let nothing = Box::pin(futures_util::stream::empty());
        ctx.upload_progress::<ImageImportOp>(&import, nothing, None).await?
    } else if args.source == Path::new("-") {
        let body = pack::channel_body(input::stdin());
        ctx.upload_progress::<ImageImportOp>(&import, body, None).await?
    } else if args.source.is_dir() {
        folder(ctx, &args.source, import).await?
    } else {
        let unread = |e| file_problem("read", &args.source, &e);
        let file = std::fs::File::open(&args.source).map_err(unread)?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        ctx.upload_progress::<ImageImportOp>(&import, pack::file_body(file), length).await?
    };
    Ok(Output::text(&image, &image.name, format!("{}\n", image.name)))
}

/// A folder is read by the server where it sees the same one; else it travels as an archive.
async fn folder(
    ctx: &Ctx,
    source: &Path,
    mut import: ImageImport,
) -> Result<Image, volt_api::Problem> {
    let path = source.canonicalize().map_err(|e| file_problem("read", source, &e))?;
    let seen = rustix::process::geteuid().is_root() && ctx.choice().await?.is_local();
    if let (true, Some(text)) = (seen, path.to_str()) {
        import.path = Some(text.to_owned());
        let nothing = Box::pin(futures_util::stream::empty());
        return ctx.upload_progress::<ImageImportOp>(&import, nothing, None).await;
    }
    let (body, left_out) = pack::body(Packed { from: path, name: None, owners: Owners::Kept });
    let image = ctx.upload_progress::<ImageImportOp>(&import, body, None).await?;
    left_out.tell(&ctx.out);
    Ok(image)
}
