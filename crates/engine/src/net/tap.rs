//! TAP interfaces, by which virtual machines are members of networks. What was asked for stands in `taps/NAME.json`; they are raised and
//! put back with the networks, and what a machine has is written down as that of containers is.

use super::{MAX, stems};
use crate::Engine;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::path::PathBuf;
use volt_host::netlink::{self, Netlink};
use volt_host::{files, peer};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Attached, Attachment, Endpoint, Tap, port_name};

/// A TAP as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct TapView {
    /// What was asked for.
    pub tap: Tap,
    /// What the machine has of the network; nothing where the TAP is not there.
    pub endpoint: Option<Endpoint>,
    /// Whether it is there and on.
    pub up: bool,
}

impl Engine {
    /// Makes a TAP and plugs it into a network. The machine that opens it is a member under this name.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `NotFound` for a network or a user, `Conflict` for an address that somebody has, `Resource` for
    /// a full subnet, `Dependency` where the kernel has no TAPs.
    pub fn net_tap_create(
        &self,
        name: &Name,
        attachment: &Attachment,
        owner: Option<&str>,
    ) -> Result<TapView> {
        self.refuse_without_networks()?;
        let tap = self.make_tap(name, attachment, owner)?;
        // It takes the locks itself.
        self.have_networks_watched();
        Ok(self.view_of_tap(tap, &Netlink::open()?.links()?))
    }

    fn make_tap(&self, name: &Name, attachment: &Attachment, owner: Option<&str>) -> Result<Tap> {
        let _lock = self.lock_name(name)?;
        self.refuse_taken(name)?;
        let owner = owner.map(user).transpose()?;
        let _networks = self.hold_networks(std::slice::from_ref(attachment))?;
        let tap = Tap {
            version: Tap::VERSION,
            name: name.clone(),
            network: attachment.network.clone(),
            ip: attachment.ip,
            owner,
            created: Timestamp::now(),
        };
        files::create_dirs(&self.paths().taps(), 0o755)?;
        files::write_json(&self.tap_path(name), &tap, 0o644)?;
        if let Err(error) = self.raise_tap(&tap) {
            if let Err(undo) = self.forget_tap(&tap) {
                tracing::error!(%name, error = %undo.chain().join(": "), "a TAP half made could not be undone");
            }
            return Err(error);
        }
        Ok(tap)
    }

    /// Lists TAPs, sorted by name.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn net_tap_list(&self) -> Result<Vec<TapView>> {
        let taps = self.taps()?;
        let links = Netlink::open()?.links()?;
        Ok(taps.into_iter().map(|tap| self.view_of_tap(tap, &links)).collect())
    }

    /// Removes a TAP; a machine that has it open is cut off.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn net_tap_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_name(name)?;
        let Some(tap) = self.taps()?.into_iter().find(|tap| tap.name == *name) else {
            return Err(Error::not_found("TAP", name).hinted(
                "`volt net tap list` lists all there are, `volt net tap create` makes one",
            ));
        };
        self.forget_tap(&tap)
    }

    /// The record last: until then it is put back.
    fn forget_tap(&self, tap: &Tap) -> Result<()> {
        let name = &tap.name;
        self.plug_out(name)?;
        // Whoever was killed while he made it has not told of it yet.
        Netlink::open()?.delete(&port_name(name, &tap.network))?;
        self.give_addresses_back(name)?;
        files::remove_file(&self.tap_path(name))?;
        Ok(files::sync_dir(&self.paths().taps())?)
    }

    fn view_of_tap(&self, tap: Tap, links: &[netlink::Link]) -> TapView {
        let attached = self.attached(&tap.name);
        let endpoint = attached.and_then(|all| all.endpoints.into_iter().next());
        let port = endpoint.as_ref().map(|endpoint| endpoint.port.as_str());
        let up = links.iter().any(|link| Some(link.name.as_str()) == port && link.is_up);
        TapView { tap, endpoint, up }
    }

    /// Makes a TAP where it is missing, and lets through what its machine sends.
    pub(super) fn raise_tap(&self, tap: &Tap) -> Result<()> {
        let network = self.network(&tap.network)?;
        let attachment = Attachment { ip: tap.ip, ..Attachment::to(network.name.clone()) };
        let mut endpoint = self.endpoint(&network, &tap.name, &attachment, String::new())?;
        // What the machine calls it is its own business.
        endpoint.interface.clone_from(&endpoint.port);
        let mut netlink = Netlink::open()?;
        let bridge = self.raised(&mut netlink, &network)?;
        netlink.ensure_tap(&netlink::Tap {
            port: &endpoint.port,
            alias: &format!("volt: {}", tap.name),
            bridge: bridge.index,
            isolated: network.isolate,
            mtu: network.mtu,
            owner: tap.owner,
        })?;
        let mut attached = Attached::new(tap.name.clone(), Default::default());
        attached.endpoints.push(endpoint);
        match self.attached(&tap.name).as_ref() == Some(&attached) {
            true => Ok(()),
            false => self.let_through(&attached),
        }
    }

    fn tap_path(&self, name: &Name) -> PathBuf {
        self.paths().taps().join(format!("{name}.json"))
    }

    /// Whether a TAP is called so.
    pub(crate) fn is_tap(&self, name: &Name) -> bool {
        self.tap_path(name).exists()
    }

    /// Refuses a name for a container that a TAP has: they are members of the same networks.
    pub(crate) fn refuse_name_of_tap(&self, name: &Name) -> Result<()> {
        if !self.is_tap(name) {
            return Ok(());
        }
        let title = format!("There is a TAP named {name} already");
        Err(Error::new(ErrorKind::AlreadyExists, title)
            .about(name)
            .hinted(format!("Remove it with `volt net tap delete {name}`, or choose another name")))
    }

    /// All TAPs, sorted by name. One that can't be read is told in the log and left out.
    pub(crate) fn taps(&self) -> Result<Vec<Tap>> {
        let read = |name: &Name| match files::read_json::<Tap>(&self.tap_path(name), MAX) {
            Ok(tap) if tap.version == Tap::VERSION && tap.name == *name => Some(tap),
            Ok(_) => {
                tracing::warn!(%name, "a TAP's record is another's, or of another version");
                None
            }
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                tracing::warn!(%name, %error, "a TAP's record can't be read");
                None
            }
        };
        Ok(stems(&self.paths().taps())?.iter().filter_map(read).collect())
    }
}

/// The id of a user, by name or number.
fn user(word: &str) -> Result<u32> {
    word.parse().ok().or_else(|| peer::user_id(word)).ok_or_else(|| Error::not_found("user", &word))
}
