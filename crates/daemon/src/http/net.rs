//! Networks.

use super::convert::container;
use super::fields::{Fields, read};
use crate::router::{Failure, Routes};
use volt_api::operations::*;
use volt_api::types as wire;
use volt_api::types::Nothing;
use volt_engine::Engine;
use volt_engine::net::{BridgeView, Capture, Create, Member, Status, TapView, View};
use volt_model::name::Name;
use volt_model::net::{Attachment, DEFAULT};

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<NetCreateOp>(|cx, _, body| Ok(shown(cx.state.net_create(wanted(body)?)?)))
        .plain::<NetListOp>(|cx, _, _| Ok(cx.state.net_list()?.into_iter().map(shown).collect()))
        .plain::<NetInspectOp>(|cx, params, _| {
            Ok(shown(cx.state.net_inspect(&read("name", &params.name)?)?))
        })
        .plain::<NetDeleteOp>(|cx, params, _| {
            cx.state.net_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .plain::<NetConnectOp>(|cx, params, body| {
            let (name, attachment) = connection(&params.name, &body)?;
            Ok(container(cx.state.net_connect(&name, &attachment)?, cx.sees_secrets()))
        })
        .plain::<NetDisconnectOp>(|cx, params, body| {
            let mut fields = Fields::default();
            let network = fields.one::<Name>("name", &params.name);
            let name = fields.one::<Name>("container", &body.container);
            let (network, name) = fields.finish(network.zip(name))?;
            Ok(container(cx.state.net_disconnect(&name, &network)?, cx.sees_secrets()))
        })
        .plain::<NetStatusOp>(|cx, params, _| {
            let mut fields = Fields::default();
            let network = fields.maybe::<Name>("network", params.network.as_deref());
            let network = fields.finish(Some(network))?;
            Ok(cx.state.net_status(network.as_ref())?.into_iter().map(status).collect())
        })
        .plain::<NetTapCreateOp>(|cx, _, body| {
            let mut fields = Fields::default();
            let name = fields.one::<Name>("name", &body.name);
            let ip = fields.maybe("ip", body.ip.as_deref());
            let network = fields.one("network", body.network.as_deref().unwrap_or(DEFAULT));
            let (name, network) = fields.finish(name.zip(network))?;
            let attachment = Attachment { ip, ..Attachment::to(network) };
            Ok(tap(cx.state.net_tap_create(&name, &attachment, body.owner.as_deref())?))
        })
        .plain::<NetTapListOp>(|cx, _, _| {
            Ok(cx.state.net_tap_list()?.into_iter().map(tap).collect())
        })
        .plain::<NetTapDeleteOp>(|cx, params, _| {
            cx.state.net_tap_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .plain::<NetBridgeCreateOp>(|cx, _, body| {
            let mut fields = Fields::default();
            let name = fields.one("name", &body.name);
            let ports = fields.all("ports", &body.ports);
            let name: Name = fields.finish(name)?;
            Ok(bridge(cx.state.net_bridge_create(&name, body.mtu, ports)?))
        })
        .plain::<NetBridgeListOp>(|cx, _, _| {
            Ok(cx.state.net_bridge_list()?.into_iter().map(bridge).collect())
        })
        .plain::<NetBridgeDeleteOp>(|cx, params, _| {
            cx.state.net_bridge_delete(&read("name", &params.name)?)?;
            Ok(Nothing {})
        })
        .download::<NetCaptureOp>(|cx, params, out| {
            Ok(cx.state.net_capture(&captured(params)?, out, &cx.gone())?)
        })
}

fn wanted(body: wire::NetCreate) -> Result<Create, Failure> {
    let mut fields = Fields::default();
    let name = fields.one("name", &body.name);
    let subnet = fields.maybe("subnet", body.subnet.as_deref());
    let ipv6 = fields.maybe("ipv6", body.ipv6.as_deref());
    fields.finish(name).map(|name| Create {
        name,
        subnet,
        ipv6,
        internal: body.internal,
        isolate: body.isolate,
        dns: !body.no_dns,
        dhcp: body.dhcp,
        mtu: body.mtu,
        labels: body.labels,
    })
}

fn connection(network: &str, body: &wire::NetConnect) -> Result<(Name, Attachment), Failure> {
    let mut fields = Fields::default();
    let network = fields.one("name", network);
    let name = fields.one("container", &body.container);
    let ip = fields.maybe("ip", body.ip.as_deref());
    let aliases = fields.all("aliases", &body.aliases);
    let (name, network) = fields.finish(name.zip(network))?;
    Ok((name, Attachment { ip, aliases, ..Attachment::to(network) }))
}

fn captured(params: wire::NetCapture) -> Result<Capture, Failure> {
    let mut fields = Fields::default();
    let workload = fields.one("name", &params.name);
    let network = fields.maybe("network", params.network.as_deref());
    fields.finish(workload).map(|workload| Capture {
        workload,
        network,
        filter: params.filter,
        count: params.count,
        snap: params.snap_length,
    })
}

pub(super) fn shown(view: View) -> wire::Network {
    let network = view.network;
    wire::Network {
        name: network.name.to_string(),
        bridge: network.bridge(),
        up: view.up,
        subnet: network.subnet.to_string(),
        gateway: network.gateway().to_string(),
        ipv6: network.ipv6.map(|subnet| subnet.to_string()),
        gateway_ipv6: network.gateway_ipv6().map(|ip| ip.to_string()),
        internal: network.internal,
        isolate: network.isolate,
        dns: network.dns,
        dhcp: network.dhcp,
        mtu: network.mtu,
        ingress: view.defaults.ingress.to_string(),
        egress: view.defaults.egress.to_string(),
        created: network.created.to_string(),
        members: view.members.iter().map(member).collect(),
        labels: network.labels,
    }
}

fn member(member: &Member) -> wire::NetworkMember {
    wire::NetworkMember {
        name: member.workload.to_string(),
        connected: member.connected,
        ip: member.ip.map(|ip| ip.to_string()),
        ipv6: member.ipv6.map(|ip| ip.to_string()),
        mac: member.mac.to_string(),
    }
}

fn tap(view: TapView) -> wire::NetTap {
    let (tap, endpoint) = (view.tap, view.endpoint);
    wire::NetTap {
        name: tap.name.to_string(),
        network: tap.network.to_string(),
        interface: endpoint.as_ref().map(|endpoint| endpoint.port.clone()),
        mac: endpoint.as_ref().map(|endpoint| endpoint.mac.to_string()),
        ip: endpoint.as_ref().map(|endpoint| endpoint.ip.to_string()),
        ipv6: endpoint.and_then(|endpoint| endpoint.ipv6).map(|ip| ip.to_string()),
        owner: tap.owner,
        up: view.up,
        created: tap.created.to_string(),
    }
}

fn bridge(view: BridgeView) -> wire::NetBridge {
    wire::NetBridge {
        name: view.name,
        network: view.network.map(|name| name.to_string()),
        created: view.created.map(|time| time.to_string()),
        up: view.up,
        mac: view.mac.map(|mac| mac.to_string()),
        mtu: view.mtu,
        ports: view.ports,
    }
}

fn status(status: Status) -> wire::NetConnection {
    let endpoint = status.endpoint;
    wire::NetConnection {
        name: status.workload.to_string(),
        network: endpoint.network.to_string(),
        interface: endpoint.interface,
        port: endpoint.port,
        up: status.up,
        ip: endpoint.ip.to_string(),
        ipv6: endpoint.ipv6.map(|ip| ip.to_string()),
        mac: endpoint.mac.to_string(),
        aliases: endpoint.aliases.iter().map(ToString::to_string).collect(),
        published: status.published.iter().map(ToString::to_string).collect(),
        rate: endpoint.rate.map(|rate| rate.to_string()),
        received_bytes: status.counters.received_bytes,
        received_packets: status.counters.received_packets,
        sent_bytes: status.counters.sent_bytes,
        sent_packets: status.counters.sent_packets,
        dropped_packets: status.counters.dropped,
    }
}
