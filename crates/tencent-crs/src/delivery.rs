//! Delivery: what a deal has the cloud do, and what becomes of the deal then.
//!
//! Invariants:
//! - Delivering again what has been delivered does nothing.
//! - A deal ends once, when the cloud's tasks for it have: delivered, or failed and paid back as far as it failed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use cloud::Cloud;
use cloud::backup_policy::{BackupKind, BackupPlan, BackupPolicy};
use cloud::capacity::Capacity;
use cloud::engine::{Engine, Release};
use cloud::identity::Secret;
use cloud::instance::{Access, Instance, Network, Order, Owner, Status};
use cloud::maintenance::MaintenanceWindow;
use cloud::topology::Topology;
use parking_lot::Mutex;

use crate::catalogue::Type;
use crate::deal::{Deal, Goods, State};
use crate::lease::Lease;
use crate::ledger::{Edit, Ledger};

/// The cloud's project that instances of this service belong to.
pub(crate) const PROJECT: &str = "crs";

/// Delivers deals.
pub(crate) struct Delivery {
    cloud: Arc<Cloud>,
    ledger: Arc<Ledger>,
    /// Deals that have been given to the cloud: before that they are not over, whatever their instances look like.
    begun: Mutex<HashSet<u64>>,
}

impl Delivery {
    pub(crate) fn new(cloud: Arc<Cloud>, ledger: Arc<Ledger>) -> Self {
        Delivery { cloud, ledger, begun: Mutex::default() }
    }

    /// Has the cloud do what a deal is about. Under the instant profile the deal has ended when this returns.
    pub(crate) async fn deliver(&self, id: u64) {
        let Some(deal) = self.ledger.read(|book| book.deals.get(&id).cloned()) else { return };
        if deal.state != State::Delivering || self.begun.lock().contains(&id) {
            return;
        }
        match &deal.goods {
            Goods::New { .. } => {
                for redis_id in &deal.redis_ids {
                    self.make(&deal, redis_id).await;
                }
            }
            Goods::Upgrade { to_mb, .. } => {
                for redis_id in &deal.redis_ids {
                    self.enlarge(redis_id, *to_mb).await;
                }
            }
            Goods::Renewal { .. } => {}
        }
        self.begun.lock().insert(id);
        self.settle(&deal).await;
    }

    /// Goes on with deals that a former process has begun.
    pub(crate) async fn go_on(&self) {
        for id in self.open() {
            self.deliver(id).await;
        }
    }

    /// Ends the deals whose tasks have ended.
    pub(crate) async fn settle_all(&self) {
        for id in self.open() {
            let deal = self.ledger.read(|book| book.deals.get(&id).cloned());
            if let Some(deal) = deal.filter(|_| self.begun.lock().contains(&id)) {
                self.settle(&deal).await;
            }
        }
    }

    /// The deals that have not ended.
    fn open(&self) -> Vec<u64> {
        let is_open = |deal: &&Arc<Deal>| deal.state == State::Delivering;
        self.ledger.read(|book| book.deals.values().filter(is_open).map(|deal| deal.id).collect())
    }

    async fn make(&self, deal: &Deal, redis_id: &str) {
        let Some(lease) = self.ledger.lease(redis_id) else { return };
        if self.cloud.instance(PROJECT, redis_id).is_some() {
            return;
        }
        let Goods::New { password, owner, .. } = &deal.goods else { return };
        let order = order(&lease, Access::Password(password.clone()), owner);
        if let Err(error) = self.cloud.create_with_id(redis_id.to_owned(), order).await {
            tracing::warn!(deal = deal.id, redis_id, %error, "an instance cannot be made");
        }
    }

    async fn enlarge(&self, redis_id: &str, to_mb: u32) {
        let Some(instance) = self.cloud.instance(PROJECT, redis_id) else { return };
        let to = Capacity::of_mb(to_mb);
        if instance.capacity == to || instance.task.is_some() {
            return;
        }
        let mut form = instance.form();
        form.capacity = to;
        if let Err(error) = self.cloud.resize(PROJECT, redis_id, form, Vec::new()).await {
            tracing::warn!(redis_id, %error, "an instance cannot be enlarged");
        }
    }

    /// Ends a deal if its tasks have ended.
    async fn settle(&self, deal: &Deal) {
        let Some(failed) = self.failed(deal) else { return };
        let now_ms = self.cloud.clock().now_ms();
        let lost: Vec<String> = failed.iter().map(|redis_id| (*redis_id).clone()).collect();
        let recorded = self.ledger.write(|book| {
            let mut edit = Edit::default();
            let Some(deal) = book.deals.get(&deal.id).filter(|deal| deal.state == State::Delivering) else {
                return Ok((edit, ()));
            };
            let mut ended = Deal::clone(deal);
            ended.ended_at_ms = Some(now_ms);
            if let Goods::New { password, .. } = &mut ended.goods {
                // The instance has it.
                *password = Secret::new("");
            }
            ended.state = if lost.is_empty() { State::Delivered } else { State::Failed };
            let share_fen = deal.price_fen / u64::from(deal.num.max(1));
            edit.paid_back_fen = share_fen * u64::try_from(lost.len()).unwrap_or(0);
            match &deal.goods {
                Goods::New { .. } => {
                    edit.dropped_leases.clone_from(&lost);
                    ended.redis_ids.retain(|redis_id| !lost.contains(redis_id));
                }
                Goods::Upgrade { to_mb, .. } => {
                    let kept = deal.redis_ids.iter().filter(|redis_id| !lost.contains(redis_id));
                    let leases = kept.filter_map(|redis_id| book.leases.get(redis_id));
                    edit.leases =
                        leases.map(|lease| Lease { mem_mb: *to_mb, ..Lease::clone(lease) }).collect();
                }
                Goods::Renewal { .. } => {}
            }
            edit.deals.push(ended);
            Ok((edit, ()))
        });
        if recorded.await.is_err() {
            return;
        }
        self.begun.lock().remove(&deal.id);
        if matches!(deal.goods, Goods::New { .. }) {
            for redis_id in &lost {
                // There may be none.
                let _ = self.cloud.delete(PROJECT, redis_id).await;
            }
        }
    }

    /// The instances for which a deal failed; `None` as long as the cloud is at work.
    fn failed<'a>(&self, deal: &'a Deal) -> Option<Vec<&'a String>> {
        let mut failed = Vec::new();
        for redis_id in &deal.redis_ids {
            let instance = self.cloud.instance(PROJECT, redis_id);
            let Some(instance) = instance else {
                failed.push(redis_id);
                continue;
            };
            match &deal.goods {
                Goods::New { .. } if instance.status == Status::Creating => return None,
                Goods::New { .. } if instance.status == Status::CreateFailed => failed.push(redis_id),
                Goods::Upgrade { to_mb, .. } if instance.capacity != Capacity::of_mb(*to_mb) => {
                    if instance.task.is_some() {
                        return None;
                    }
                    failed.push(redis_id);
                }
                _ => {}
            }
        }
        Some(failed)
    }
}

/// Whether a password is the instance's.
pub(crate) fn opens(instance: &Instance, password: &str) -> bool {
    match &instance.access {
        Access::Open => true,
        Access::Password(secret) => secret.is(password),
    }
}

/// The cloud's order for an instance of this service.
fn order(lease: &Lease, access: Access, (user_id, user_name): &(String, String)) -> Order {
    let cluster = lease.kind == Type::Cluster;
    let topology = if cluster { Topology::Proxy } else { Topology::MasterStandby };
    let spec = if cluster { "crs.cluster" } else { "crs.standalone" };
    Order {
        project_id: PROJECT.to_owned(),
        name: lease.redis_id.clone(),
        description: None,
        engine: Engine::Redis,
        release: Some(Release::V3_0),
        topology,
        capacity: Capacity::of_mb(lease.mem_mb),
        gives_all: true,
        shards: if cluster { shards(lease.mem_mb) } else { 1 },
        copies: 2,
        databases: if cluster { 1 } else { 16 },
        spec_code: spec.to_owned(),
        product_id: spec.to_owned(),
        access,
        access_user: None,
        parameters: BTreeMap::new(),
        reserved_mb: 0,
        enterprise_project_id: None,
        subscription: None,
        requested_port: None,
        renamed_commands: BTreeMap::new(),
        network: Network {
            vpc_id: lease.place.un_vpc_id.clone(),
            subnet_id: lease.place.un_subnet_id.clone(),
            security_group_id: None,
        },
        zones: vec![lease.zone_id.to_string()],
        maintenance: MaintenanceWindow::default(),
        backup_policy: Some(nightly()),
        tags: Vec::new(),
        owner: Owner { user_id: user_id.clone(), user_name: user_name.clone() },
    }
}

/// What the cloud does by itself: a backup in the early morning, kept for a week.
fn nightly() -> BackupPolicy {
    let plan = BackupPlan {
        begin_at: "03:00-04:00".to_owned(),
        weekdays: (1..=7).collect(),
        timezone_offset: Some("+0800".to_owned()),
    };
    BackupPolicy { kind: BackupKind::Auto, save_days: Some(BACKUPS_KEPT_DAYS), plan }
}

/// For how many days backups are kept.
pub(crate) const BACKUPS_KEPT_DAYS: u8 = 7;

/// How many shards a new cluster has: one for each 8 GB, at least two and at most sixteen.
fn shards(mem_mb: u32) -> u32 {
    mem_mb.div_ceil(8 * 1024).clamp(2, 16)
}
