//! What the programs of a derived world answer: for each load balancer one answer to each request, with which all who send
//! it are content.

use super::super::file::StatedAnswer;
use super::names::Names;
use super::sides::{Side, Sides};
use crate::port::Endpoint;
use crate::port::dns::Name;
use crate::port::need::{self, ANY, Answer, Asker, Need, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

/// All requests, by the load balancers that they come to.
#[derive(Default)]
pub(super) struct Answers {
    asked: Vec<Asked>,
    /// Scheme, by host name: for users.
    schemes: BTreeMap<Name, String>,
}

/// One request.
struct Asked {
    /// Nobody: users do.
    asker: Option<Asker>,
    method: String,
    path: String,
    host: Option<Name>,
    /// It is sent to one side, whatever DNS says.
    direct: bool,
    balancers: Vec<String>,
    wanted: Wanted,
}

/// Answers by load balancer.
pub(super) type Stated = BTreeMap<String, Arc<[StatedAnswer]>>;

impl Answers {
    pub(super) fn read(
        &mut self,
        needs: &[(Asker, Need)],
        names: &mut Names,
        sides: &mut Sides<'_>,
        opaque: &mut Vec<(Asker, String)>,
    ) {
        for (asker, need) in needs {
            let Need::Answer { method, url, connect_to, wanted } = need else { continue };
            match self.one(url, connect_to.as_deref(), names, sides) {
                Ok((url, balancers)) => self.asked.push(Asked {
                    asker: Some(*asker),
                    method: method.clone(),
                    path: url.path().into(),
                    host: url.host_str().map(Name::new),
                    direct: connect_to.is_some(),
                    balancers,
                    wanted: wanted.clone(),
                }),
                Err(why) => {
                    opaque.push((*asker, format!("the answer to {method} {url} is not modelled: {why}")));
                }
            }
        }
    }

    /// The load balancers that a request comes to.
    fn one(
        &mut self,
        text: &str,
        connect_to: Option<&str>,
        names: &mut Names,
        sides: &mut Sides<'_>,
    ) -> Result<(Url, Vec<String>), String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let host = url.host_str().unwrap_or_default();
        if host.contains(ANY) || connect_to.is_some_and(|to| to.contains(ANY)) {
            return Err("where it is sent is known only in the run".into());
        }
        let to = Endpoint::of(&url, connect_to).map_err(|fault| fault.message.to_string())?;
        let listens = if url.scheme() == "https" { 443 } else { 80 };
        if to.port != listens {
            return Err(format!("nobody listens at port {}", to.port));
        }
        self.schemes.entry(Name::new(host)).or_insert_with(|| url.scheme().to_owned());
        let balancers = match to.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => sides.at_address(address, Side::Other).into_iter().collect(),
            Ok(IpAddr::V6(_)) => return Err("only IPv4 is modelled".into()),
            Err(_) => names.reached(&Name::new(&to.host), sides),
        };
        if balancers.is_empty() {
            return Err(format!("nobody serves {}", to.host));
        }
        Ok((url, balancers))
    }

    /// Paths of a host that users may ask for: what checks expect of them is no failure, and they are not about health.
    pub(super) fn paths(&self, host: &Name) -> Vec<String> {
        let plain = |asked: &&Asked| {
            asked.host.as_ref() == Some(host)
                && asked.method == "GET"
                && !asked.path.contains(ANY)
                && !asked.path.contains("health")
                && !asked.direct
        };
        let good = |asked: &&Asked| need::answer(&[&asked.wanted]).is_some_and(|answer| answer.status < 400);
        let mut seen = BTreeSet::new();
        let found = self.asked.iter().filter(plain).filter(good).map(|asked| asked.path.clone());
        found.filter(|path| seen.insert(path.clone())).collect()
    }

    /// Scheme and host, as the plan writes it.
    pub(super) fn origin(&self, host: &Name) -> Option<String> {
        self.schemes.get(host).map(|scheme| format!("{scheme}://{host}"))
    }

    /// Users ask for a path at these load balancers.
    pub(super) fn serve(&mut self, balancers: &[String], path: &str) {
        self.asked.push(Asked {
            asker: None,
            method: "GET".into(),
            path: path.into(),
            host: None,
            direct: false,
            balancers: balancers.to_vec(),
            wanted: Wanted { accepted: true, ..Wanted::default() },
        });
    }

    /// The answers of each load balancer.
    pub(super) fn settle(&self, opaque: &mut Vec<(Asker, String)>) -> Stated {
        let mut content = vec![false; self.asked.len()];
        let mut requests: BTreeMap<(&str, bool, &str, &str), Vec<usize>> = BTreeMap::new();
        for (place, asked) in self.asked.iter().enumerate() {
            for balancer in &asked.balancers {
                // What fits any text comes last: the first that fits answers.
                let key = (balancer.as_str(), asked.path.contains(ANY), &*asked.path, &*asked.method);
                requests.entry(key).or_default().push(place);
            }
        }
        let mut stated: BTreeMap<String, Vec<StatedAnswer>> = BTreeMap::new();
        for ((balancer, _, path, method), mut places) in requests {
            // Whoever asks one side knows best what it says.
            places.sort_by_key(|place| !self.asked[*place].direct);
            let Some(answer) = self.agreed(&places, &mut content) else { continue };
            let (method, path) = (method.to_owned(), path.to_owned());
            let one = StatedAnswer { method, path, status: answer.status, body: answer.body };
            stated.entry(balancer.to_owned()).or_default().push(one);
        }
        for (asked, _) in self.asked.iter().zip(content).filter(|(_, content)| !content) {
            if let Some(asker) = asked.asker {
                let (method, path) = (&asked.method, &asked.path);
                let why = format!(
                    "the answer to {method} {path} is not modelled: nothing was found that it is content with"
                );
                opaque.push((asker, why));
            }
        }
        stated.into_iter().map(|(balancer, answers)| (balancer, answers.into())).collect()
    }

    /// An answer for all of them, or for as many as can be, the first first.
    fn agreed(&self, places: &[usize], content: &mut [bool]) -> Option<Answer> {
        let wanted = |places: &[usize]| {
            let wanted: Vec<&Wanted> = places.iter().map(|place| &self.asked[*place].wanted).collect();
            need::answer(&wanted)
        };
        let mut kept = places.to_vec();
        let mut found = wanted(&kept);
        if found.is_none() {
            kept.clear();
            for place in places {
                kept.push(*place);
                match wanted(&kept) {
                    Some(answer) => found = Some(answer),
                    None => {
                        kept.pop();
                    }
                }
            }
        }
        for place in kept {
            content[place] = true;
        }
        found
    }
}
