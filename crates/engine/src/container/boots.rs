//! What can't be asked of a container that boots.

use super::Create;
use crate::error::{Error, Result};
use volt_model::container::Seccomp;
use volt_model::kind::ErrorKind;
use volt_store::Image;

/// Refuses an image without an init; and what only a command of Volt's own init has, rather than leave it out without a word.
///
/// # Errors
/// `InvalidConfig` for the former, `Usage` for the latter.
pub(super) fn check(create: &Create, image: &Image) -> Result<()> {
    if !image.config.boot {
        let title = format!("The image {} can't boot", create.image);
        return Err(Error::new(ErrorKind::InvalidConfig, title)
            .about(&create.image)
            .because("it has no init, or no os-release".to_owned())
            .hinted("Put one in, such as Debian's systemd-sysv, or leave out --boot"));
    }
    let asked = [
        ("a command", !create.command.is_empty()),
        ("an entrypoint", create.entrypoint.is_some()),
        // The command line passes the terminal's on by itself.
        ("variables of its environment", create.env.iter().any(|e| !e.starts_with("TERM="))),
        ("a user", create.user.is_some()),
        ("a working directory", create.workdir.is_some()),
        ("capabilities", !create.cap_add.is_empty() || !create.cap_drop.is_empty()),
        ("another syscall filter", create.seccomp != Seccomp::Default),
        ("limits of its processes", !create.ulimits.is_empty()),
        ("another stop signal", create.stop_signal.is_some()),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(Error::new(
            ErrorKind::Usage,
            format!("A container that boots can't be given {what}: its own init decides"),
        )
        .hinted("Leave it out; or --no-boot runs a command in place of the image's init")),
        None => Ok(()),
    }
}
