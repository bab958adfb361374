//! Addresses and ports of one sandbox: all sockets are bound before anything is served, so that two sandboxes never share one.
//!
//! Each sandbox has a network of its own, `127.<n>.0.0/16`: load balancers in `.0.`, name servers in `.1.`, tasks in `.2.` and
//! up, its own interfaces in `.254.`.

use super::names;
use crate::sim::{World, WorldError, WorldFile};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, UdpSocket};

/// The networks that are tried, the first free one is taken.
const NETWORKS: std::ops::Range<u8> = 77..127;

/// The last part of the resolver's address.
const RESOLVER: u8 = 253;
/// The last part of the primary server's address.
const PRIMARY: u8 = 251;

/// All sockets of a sandbox but those of its tasks.
pub(super) struct Sockets {
    /// The AWS endpoint.
    pub(super) aws: TcpListener,
    /// The sandbox's own interface.
    pub(super) control: TcpListener,
    /// Name servers, in the world's order.
    pub(super) authorities: Vec<(UdpSocket, TcpListener)>,
    /// The root.
    pub(super) root: (UdpSocket, TcpListener),
    /// The resolver.
    pub(super) resolver: (UdpSocket, TcpListener),
    /// The primary server.
    pub(super) primary: TcpListener,
    /// The resolver that is asked over HTTP.
    pub(super) https_resolver: TcpListener,
    /// By load balancer: name, TLS, plain.
    pub(super) balancers: Vec<(String, TcpListener, TcpListener)>,
    /// Which ports were taken.
    pub(super) ports: Ports,
}

/// The ports of a sandbox; the same on all of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    network: u8,
    /// AWS; also keeps others out of this network.
    aws: u16,
    control: u16,
    /// In place of 53.
    pub(super) dns: u16,
    /// In place of 443.
    pub(super) https: u16,
    /// In place of 80.
    pub(super) http: u16,
    https_resolver: u16,
}

impl Ports {
    fn of(network: u8) -> Self {
        // Away from the ports that programs on a developer's machine like to take everywhere.
        let base = 20_000 + u16::from(network - NETWORKS.start) * 10;
        Self {
            network,
            aws: base,
            control: base + 1,
            dns: base + 2,
            https: base + 3,
            http: base + 4,
            https_resolver: base + 5,
        }
    }

    fn at(self, part: u8, place: u8) -> IpAddr {
        Ipv4Addr::new(127, self.network, part, place).into()
    }

    /// Where AWS calls go.
    pub(super) fn aws(self) -> SocketAddr {
        (self.at(254, 1), self.aws).into()
    }

    /// Where the sandbox's own interface is.
    pub(super) fn control(self) -> SocketAddr {
        (self.at(254, 1), self.control).into()
    }

    /// Where all names are answered.
    pub(super) fn resolver(self) -> SocketAddr {
        (self.at(1, RESOLVER), self.dns).into()
    }

    /// Where all names are answered over HTTP.
    pub(super) fn https_resolver(self) -> SocketAddr {
        (self.at(254, 1), self.https_resolver).into()
    }

    /// Where updates of zones go.
    pub(super) fn primary(self) -> SocketAddr {
        (self.at(1, PRIMARY), self.dns).into()
    }
}

/// Takes the first free network, and builds the world in it.
pub(super) async fn claim(
    file: &WorldFile,
    name: &str,
    now: crate::plan::Timestamp,
) -> Result<(World, Sockets), ClaimError> {
    let mut last = None;
    for network in NETWORKS {
        let world = World::new(file.clone(), name, now, network)?;
        match bind(&world, Ports::of(network)).await {
            Ok(sockets) => return Ok((world, sockets)),
            Err(error) => last = Some(error),
        }
    }
    Err(ClaimError::NoNetwork(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into())))
}

/// Why no network could be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("no network on loopback is free for a sandbox: tried 127.77.0.0/16 to 127.126.0.0/16")]
    NoNetwork(#[source] io::Error),
}

async fn bind(world: &World, ports: Ports) -> io::Result<Sockets> {
    let aws = TcpListener::bind(ports.aws()).await?;
    let control = TcpListener::bind(ports.control()).await?;
    let resolver = names::bind(ports.resolver()).await?;
    let primary = TcpListener::bind(ports.primary()).await?;
    let https_resolver = TcpListener::bind(ports.https_resolver()).await?;
    let root = names::bind((world.root.address, ports.dns).into()).await?;
    let mut authorities = Vec::new();
    for server in &world.name_servers {
        authorities.push(names::bind((server.address, ports.dns).into()).await?);
    }
    let mut balancers = Vec::new();
    for balancer in world.balancers.values() {
        let tls = TcpListener::bind((balancer.address, ports.https)).await?;
        let plain = TcpListener::bind((balancer.address, ports.http)).await?;
        balancers.push((balancer.name.clone(), tls, plain));
    }
    Ok(Sockets { aws, control, authorities, root, resolver, primary, https_resolver, balancers, ports })
}
