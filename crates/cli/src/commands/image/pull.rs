//! `volt image pull`.

use crate::accounts;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::Problem;
use volt_api::operations::ImagePullOp;
use volt_api::types::{Image, ImagePull, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt image pull debian
  volt pull debian:bookworm
  volt pull registry.example/team/app:1.2
  volt image pull --include nginx,curl --mirror http://deb.debian.org/debian debian-minimal";

/// Get an image
///
/// debian, debian:SUITE and debian-minimal are made by debootstrap; all other names are those of images in registries. Who you are
/// there is read from what `volt login`, `docker login` and `podman login` have written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// For what it is to be, of those that a registry has: linux/arm64; this host where nothing is said
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// The Debian mirror; the host's where nothing is said
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// debootstrap's variant, such as minbase
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// Packages to add
    #[arg(long, value_name = "PACKAGE", value_delimiter = ',')]
    include: Vec<String>,
    /// Pull again although it is there
    #[arg(long, short)]
    force: bool,
    /// The image
    #[arg(value_name = "IMAGE", add = ArgValueCompleter::new(complete::aliases))]
    image: String,
}

/// Gets it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let account = accounts::of(ctx, &args.image).await?;
    let pull = ImagePull {
        image: args.image,
        platform: args.platform,
        account,
        mirror: args.mirror,
        variant: args.variant,
        include: args.include,
        force: args.force,
    };
    let image = ctx.progress::<ImagePullOp>(&Nothing {}, &pull).await?;
    Ok(Output::text(&image, &image.name, format!("{}\n", image.name)))
}

/// Gets an image that is missing.
pub(crate) async fn pull(ctx: &Ctx, image: &str) -> Result<Image, Problem> {
    tell_missing(ctx, image);
    get(ctx, image, false).await
}

/// Says that an image is missing and is got.
pub(crate) fn tell_missing(ctx: &Ctx, image: &str) {
    ctx.out.note(&format!("The image {image} is not here yet and is pulled."));
}

/// Gets an image, also where it is there.
pub(crate) async fn anew(ctx: &Ctx, image: &str) -> Result<Image, Problem> {
    get(ctx, image, true).await
}

async fn get(ctx: &Ctx, image: &str, force: bool) -> Result<Image, Problem> {
    let account = accounts::of(ctx, image).await?;
    let pull = ImagePull { image: image.to_owned(), account, force, ..ImagePull::default() };
    ctx.progress::<ImagePullOp>(&Nothing {}, &pull).await
}
