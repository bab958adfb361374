//! Tasks as real HTTP servers: each that runs listens at its own address, and stops listening when it is over.

use super::faults;
use super::serve::{Answer, Dropped, answer, header, serve};
use super::shared::Shared;
use crate::sim::FaultRule;
use hyper::Request;
use hyper::body::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Keeps sockets in step with the world until stopped.
pub(super) async fn follow(shared: Arc<Shared>, mut servers: BTreeMap<String, CancellationToken>) {
    loop {
        step(&shared, &mut servers).await;
        let next = shared.look(|world, _| world.next());
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.changed.notified() => {}
            () = shared.clock.until(next) => {}
        }
    }
}

/// Starts and stops servers, once.
pub(super) async fn step(shared: &Arc<Shared>, servers: &mut BTreeMap<String, CancellationToken>) {
    let wanted: BTreeMap<String, SocketAddr> = shared.look(|world, _| {
        let listening = world.tasks.values().filter(|task| task.listens());
        listening.map(|task| (task.id.clone(), (task.address, task.port()).into())).collect()
    });
    let gone: Vec<String> = servers.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
    for id in gone {
        if let Some(stop) = servers.remove(&id) {
            stop.cancel();
        }
        shared.listening.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
    for (id, address) in wanted {
        if servers.contains_key(&id) {
            continue;
        }
        let Some(listener) = listen(address).await else { continue };
        if let Ok(address) = listener.local_addr() {
            let mut listening = shared.listening.lock().unwrap_or_else(PoisonError::into_inner);
            listening.insert(id.clone(), address);
        }
        let stop = shared.stop.child_token();
        servers.insert(id.clone(), stop.clone());
        let shared = shared.clone();
        tokio::spawn(serve(listener, stop, move |request| handle(shared.clone(), id.clone(), request)));
    }
}

/// At its own port, or at any other if something else on this machine has that one everywhere.
async fn listen(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(_) => TcpListener::bind((address.ip(), 0)).await.ok(),
    }
}

async fn handle(shared: Arc<Shared>, task: String, request: Request<Bytes>) -> Result<Answer, Dropped> {
    let path = request.uri().path().to_owned();
    let perform = || perform(&shared, &task, &request);
    faults::meet(&shared, ("app", &path, &task), |rule: FaultRule| faults::scripted(&rule), perform).await
}

async fn perform(shared: &Shared, task: &str, request: &Request<Bytes>) -> Result<Answer, Dropped> {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let reply = shared.look(|world, now| world.answer(task, method, path, request.body(), now));
    if !reply.takes.is_zero() {
        shared.clock.wait(reply.takes).await;
    }
    let mut out = answer(reply.status, reply.kind, reply.body);
    header(&mut out, "x-served-by", &task[..12.min(task.len())]);
    Ok(out)
}
