//! From a world file to the world as it stands at first: all tasks run, all targets are healthy.

use super::balancer::{Balancer, Health, Target, TargetGroup};
use super::common::Common;
use super::compute::{Deployment, Phase, Rollout, Service};
use super::file::{BalancerFile, DefinitionFile, ServiceFile, Verb, WorldError, WorldFile, ZoneFile};
use super::rule::{Place, rules_of};
use super::world::World;
use super::zone::{Records, SetKey, Zone, written};
use crate::plan::Timestamp;
use crate::port::Person;
use crate::port::dns::{Name, RecordSet, RecordType};
use serde_json::json;
use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
/// In milliseconds.
const DAY: u64 = 24 * 3_600_000;

pub(super) fn build(
    mut file: WorldFile,
    name: &str,
    now: Timestamp,
    network: u8,
) -> Result<World, WorldError> {
    let mut world = World::empty(&mut file, name, now, network);
    let wrong = |message: String| WorldError::new(name, message);
    if world.name_servers.is_empty() || world.name_servers.len() > 50 {
        return Err(wrong("`dns: name_servers` must name 1 to 50 servers".into()));
    }
    let people: Vec<Person> = std::mem::take(&mut file.people)
        .into_iter()
        .map(|(name, person)| Person {
            name,
            answer: match person.answer {
                Verb::Approve => "approve",
                Verb::Reject => "reject",
                Verb::Ignore => "ignore",
            }
            .into(),
            after_ms: u64::try_from(person.after.0.as_millis()).unwrap_or(u64::MAX),
        })
        .collect();
    world.people = people.into();
    for (place, (name, balancer)) in (1..).zip(std::mem::take(&mut file.load_balancers)) {
        add_balancer(&mut world, name, balancer, place);
    }
    for (name, zone) in std::mem::take(&mut file.zones) {
        add_zone(&mut world, &name, zone).map_err(wrong)?;
    }
    for (family, definition) in std::mem::take(&mut file.task_definitions) {
        add_definition(&mut world, &family, definition, now);
    }
    let mut places: BTreeMap<String, BTreeMap<String, Place>> = BTreeMap::new();
    for (cluster, services) in std::mem::take(&mut file.clusters) {
        world.clusters.push(cluster.clone());
        for (name, service) in services {
            if let Some(balancer) = &service.load_balancer {
                let ServiceFile { paths, priority, weight, .. } = service.clone();
                let place = Place { paths, priority, weight };
                places.entry(balancer.clone()).or_default().insert(name.clone(), place);
            }
            add_service(&mut world, &cluster, name, service).map_err(wrong)?;
        }
    }
    for (balancer, places) in &places {
        if let Some(found) = world.balancers.get_mut(balancer) {
            found.rules = rules_of(&found.arn, places).into();
        }
    }
    for rule in std::mem::take(&mut file.faults) {
        world.faults.add(rule);
    }
    world.note_hosts(now);
    Ok(world)
}

fn add_balancer(world: &mut World, name: String, file: BalancerFile, place: u8) {
    let id: String = world.fresh("balancer")[..16].into();
    let dns_name =
        file.dns_name.unwrap_or_else(|| format!("{name}-{}.{}.elb.amazonaws.com", &id[..10], world.region));
    let balancer = Balancer {
        arn: format!(
            "arn:aws:elasticloadbalancing:{}:{}:loadbalancer/app/{name}/{id}",
            world.region, world.account
        ),
        name: name.clone(),
        dns_name: Name::new(&dns_name),
        address: file.address.unwrap_or_else(|| world.address(0, place)),
        rules: Common::default(),
        keep_alive: file.client_keep_alive.map_or(HOUR, |span| span.0),
        idle_timeout: file.idle_timeout.map_or(Duration::from_secs(60), |span| span.0),
        counts: Common::default(),
    };
    world.balancers.insert(name, balancer);
}

fn add_zone(world: &mut World, name: &str, file: ZoneFile) -> Result<(), String> {
    let zone = Name::new(file.name.as_deref().unwrap_or(name));
    let mut records = Records::new();
    let servers: Vec<String> = world.name_servers.iter().map(|s| written(&s.name)).collect();
    let soa = format!(
        "{} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {}",
        servers[0],
        super::answer::SOA_MINIMUM
    );
    let mut put = |record: RecordSet| records.insert(SetKey::of(&record), record).is_some();
    for (kind, ttl, values) in
        [("NS", super::answer::DELEGATION_TTL, servers), ("SOA", super::answer::SOA_TTL, vec![soa])]
    {
        let (name, kind) = (zone.clone(), RecordType(kind.into()));
        put(RecordSet { name, kind, ttl: Some(ttl), values, alias: None, extra: BTreeMap::new() });
    }
    for record in &file.records {
        let set = world.record(&zone, record)?;
        if put(set) {
            return Err(format!("zone `{name}`: `{} {}` is there twice", record.name, record.kind));
        }
    }
    let delegation = match file.delegated_to {
        Some(names) => names.iter().map(|name| Name::new(name)).collect(),
        None => world.name_servers.iter().map(|server| server.name.clone()).collect(),
    };
    let mut zone = Zone::new(file.id, zone, delegation, records);
    zone.private = file.private;
    if let Some(check) = file.health_checks.iter().find(|check| !check.is_askable()) {
        let asks = "`https://host/path`, `http://host/path` or `tcp://host:port`";
        return Err(format!(
            "zone `{name}`: health check `{}` asks `{}`, which no checker can: write {asks}",
            check.id, check.asks
        ));
    }
    zone.health_checks = file.health_checks;
    world.zones.push(zone);
    Ok(())
}

fn add_definition(world: &mut World, family: &str, file: DefinitionFile, now: Timestamp) {
    let containers: Vec<serde_json::Value> = file
        .containers
        .into_iter()
        .map(|(name, c)| {
            let ports: Vec<_> = c
                .port
                .iter()
                .map(|p| json!({"containerPort": p, "hostPort": p, "protocol": "tcp"}))
                .collect();
            let environment: Vec<_> =
                c.environment.iter().map(|(k, v)| json!({"name": k, "value": v})).collect();
            json!({
                "name": name, "image": c.image, "cpu": 0, "essential": true, "portMappings": ports,
                "command": c.command, "environment": environment, "mountPoints": [], "volumesFrom": [],
            })
        })
        .collect();
    let role = format!("arn:aws:iam::{}:role/ecs-execution", world.account);
    let content = json!({
        "family": family, "containerDefinitions": containers, "networkMode": "awsvpc", "cpu": "256",
        "memory": "512", "requiresCompatibilities": ["FARGATE"], "executionRoleArn": role, "volumes": [],
        "placementConstraints": [],
    });
    world.put_definition(family.into(), file.revision, content, Timestamp(now.0.saturating_sub(DAY)));
}

fn add_service(world: &mut World, cluster: &str, name: String, file: ServiceFile) -> Result<(), String> {
    let definition = world
        .definition(&file.task_definition)
        .cloned()
        .ok_or_else(|| format!("service `{name}`: there is no task definition `{}`", file.task_definition))?;
    let (region, account) = (world.region.clone(), world.account.clone());
    let group = match file.load_balancer {
        None => None,
        Some(balancer) => {
            if !world.balancers.contains_key(&balancer) {
                return Err(format!("service `{name}`: there is no load balancer `{balancer}`"));
            }
            let id: String = world.fresh("group")[..16].into();
            let group = TargetGroup {
                name: name.clone(),
                arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{id}"),
                balancer,
                port: definition.containers().iter().find_map(|c| c.port).unwrap_or(8080),
                check: file.check,
                targets: BTreeMap::new(),
                hosts: Common::default(),
                counts: Common::default(),
            };
            world.groups.insert(name.clone(), group);
            Some(name.clone())
        }
    };
    let (now, id) = (world.now, world.fresh_deployment());
    let deployment = Deployment {
        reason: format!("ECS deployment {id} completed."),
        id: id.clone(),
        definition: definition.arn.clone(),
        rollout: Rollout::Completed,
        failed: 0,
        created: now,
        updated: now,
    };
    world.services.push(Service {
        arn: format!("arn:aws:ecs:{region}:{account}:service/{cluster}/{name}"),
        cluster: cluster.into(),
        name: name.clone(),
        desired: file.desired,
        load: file.desired,
        scaling: file.scaling,
        deployments: vec![deployment],
        tasks: Vec::new(),
        events: Common::default(),
        group: group.clone(),
        grace: file.grace.0,
        breaker: file.breaker,
        strategy: file.deployment,
        capacity: file.capacity,
        rollouts: Common::default(),
        settled: (definition.arn.clone(), id.clone()),
        next_start: now,
        created: now,
    });
    for _ in 0..file.desired {
        let task = world.new_task(cluster, &definition.arn, Some(id.clone()), now);
        let target = group.as_ref().and_then(|g| world.groups.get_mut(g));
        let Some(found) = world.tasks.get_mut(&task) else { continue };
        found.service = Some(name.clone());
        let last = world.services.len() - 1;
        world.services[last].tasks.push(task.clone());
        found.phase = Phase::Running(None);
        // Long enough ago to have been ready for long.
        found.started = Some(Timestamp(now.0.saturating_sub(3_600_000)));
        if let Some(group) = target {
            let target = Target {
                address: found.address,
                state: Health::Healthy,
                sent: true,
                streak: 0,
                reason: None,
                next_check: now,
            };
            group.targets.insert(task, target);
        }
    }
    Ok(())
}

impl World {
    fn address(&self, part: u8, place: u8) -> Ipv4Addr {
        let [_, network, ..] = self.name_servers[0].address.octets();
        Ipv4Addr::new(127, network, part, place)
    }
}
