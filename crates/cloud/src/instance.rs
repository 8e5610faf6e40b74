//! An instance: what the cloud sells, as its record in the store.
//!
//! Invariants:
//! - A record is never changed in place: the cloud replaces it by a new one, so a reader's copy stays consistent.
//! - An instance with a pending `task` admits no other task.
//! - A port, once given, stays the instance's for its whole life.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backup_policy::BackupPolicy;
use crate::capacity::Capacity;
use crate::configuration::Made;
use crate::engine::{Engine, Release};
use crate::identity::Secret;
use crate::maintenance::MaintenanceWindow;
use crate::password::Tries;
use crate::topology::Topology;
use crate::whitelist::Whitelist;

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id, a UUID.
    pub id: String,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// What was ordered.
    #[serde(flatten)]
    pub order: Order,
    /// What state it is in.
    pub status: Status,
    /// Why it could not be created or does not run.
    pub fault: Option<Fault>,
    /// The port of its address, once it has one.
    pub port: Option<u16>,
    /// The ports of its nodes beside the first, if it has several that clients know of.
    #[serde(default)]
    pub node_ports: Vec<u16>,
    /// When it was ordered.
    pub created_at_ms: u64,
    /// When it began to run.
    pub launched_at_ms: Option<u64>,
    /// When it was changed last: by its owner, or by a task that ended.
    #[serde(default)]
    pub updated_at_ms: Option<u64>,
    /// The id of the task that is at work on it.
    pub task: Option<String>,
    /// The latest changes of its parameters, the oldest first.
    #[serde(default)]
    pub changes: Vec<Made>,
    /// The wrong passwords that were given when it was to have a new one.
    #[serde(default)]
    pub tries: Tries,
    /// From where it may be reached.
    #[serde(default)]
    pub whitelist: Whitelist,
}

/// What is known of an instance before it exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The project that it belongs to.
    pub project_id: String,
    /// Its name, unique in its project.
    pub name: String,
    /// What its owner says about it.
    pub description: Option<String>,
    /// What kind of cache it is.
    pub engine: Engine,
    /// Which release of it, for Redis.
    pub release: Option<Release>,
    /// How its nodes stand to each other.
    pub topology: Topology,
    /// What it holds, as sold.
    pub capacity: Capacity,
    /// Whether its data may take all of the capacity, where other instances of its release keep some for themselves.
    #[serde(default)]
    pub gives_all: bool,
    /// How many shards share its keys.
    #[serde(default = "one")]
    pub shards: u32,
    /// How often each shard exists.
    #[serde(default = "one")]
    pub copies: u32,
    /// The number of databases of each of its nodes.
    pub databases: u32,
    /// The specification that it was sold as.
    pub spec_code: String,
    /// The product that it was sold as.
    pub product_id: String,
    /// How its clients prove who they are.
    pub access: Access,
    /// The name that clients of a Memcached instance give beside the password; nothing for any.
    #[serde(default)]
    pub access_user: Option<String>,
    /// The port that was asked for; the next free one where none was.
    pub requested_port: Option<u16>,
    /// Commands under other names: the command, in lower case, and its name.
    pub renamed_commands: BTreeMap<String, String>,
    /// Parameters of the engine that are not left to it, and their values.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Memory that is kept from its data, in MB.
    #[serde(default)]
    pub reserved_mb: u32,
    /// Where it lies in the virtual network.
    pub network: Network,
    /// The ids of its availability zones.
    pub zones: Vec<String>,
    /// When it may be maintained.
    pub maintenance: MaintenanceWindow,
    /// When it is backed up.
    pub backup_policy: Option<BackupPolicy>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Who ordered it.
    pub owner: Owner,
    /// How it is paid for in advance; by use where there is nothing.
    #[serde(default)]
    pub subscription: Option<Subscription>,
    /// The enterprise project that it belongs to, as it was named; the default one where none was.
    #[serde(default)]
    pub enterprise_project_id: Option<String>,
}

/// How an instance is paid for in advance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The order that it came with, or its last one.
    pub order_id: String,
    /// For how long it was paid, in months.
    pub months: u32,
    /// Whether it is paid again when that is over.
    pub renews: bool,
}

/// What instances have that were stored before it was told.
fn one() -> u32 {
    1
}

/// How the clients of an instance prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Not at all.
    Open,
    /// With this password.
    Password(Secret),
}

/// The ids of the virtual network around an instance; nothing here enforces them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The virtual private cloud.
    pub vpc_id: String,
    /// The subnet.
    pub subnet_id: String,
    /// The security group, for those releases that have one.
    pub security_group_id: Option<String>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Unique within its instance.
    pub key: String,
    /// May be empty.
    pub value: String,
}

/// Who ordered an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
}

/// The states of an instance (DCS API Reference, 12.5, and what its clients know besides).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It is being made.
    Creating,
    /// It could not be made. Only a record is left.
    CreateFailed,
    /// It serves.
    Running,
    /// It should run and does not.
    Error,
    /// It is being restarted.
    Restarting,
    /// Its capacity is being changed.
    Extending,
    /// A backup is being restored into it.
    Restoring,
    /// Its data is being removed.
    Flushing,
    /// It is out of service until it is paid for.
    Frozen,
}

/// Why an instance could not be created or does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Its node did not start.
    NotDeployed,
    /// Its node started and did not answer.
    NotReachable,
}

impl Status {
    /// Every state.
    pub const ALL: [Status; 9] = [
        Status::Creating,
        Status::CreateFailed,
        Status::Running,
        Status::Error,
        Status::Restarting,
        Status::Extending,
        Status::Restoring,
        Status::Flushing,
        Status::Frozen,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Creating => "CREATING",
            Status::CreateFailed => "CREATEFAILED",
            Status::Running => "RUNNING",
            Status::Error => "ERROR",
            Status::Restarting => "RESTARTING",
            Status::Extending => "EXTENDING",
            Status::Restoring => "RESTORING",
            Status::Flushing => "FLUSHING",
            Status::Frozen => "FROZEN",
        }
    }
}

impl Instance {
    /// Whether it takes from its project's quota and keeps its name from others: everything does but the record of a
    /// failed creation.
    pub fn counts(&self) -> bool {
        self.status != Status::CreateFailed
    }

    /// The memory that its data may take, in bytes.
    pub fn memory_limit_bytes(&self) -> u64 {
        let Order { engine, release, topology, capacity, .. } = &self.order;
        if self.gives_all {
            return u64::from(capacity.mb()) << 20;
        }
        capacity.memory_limit_bytes(*engine, *release, *topology)
    }

    /// The same without what its owner has reserved.
    pub fn data_limit_bytes(&self) -> u64 {
        self.memory_limit_bytes().saturating_sub(u64::from(self.reserved_mb) << 20)
    }
}

impl std::ops::Deref for Instance {
    type Target = Order;

    fn deref(&self) -> &Order {
        &self.order
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An order with nothing special about it.
    pub(crate) fn order(name: &str) -> Order {
        Order {
            project_id: "p".to_owned(),
            name: name.to_owned(),
            description: None,
            engine: Engine::Redis,
            release: Some(Release::V5_0),
            topology: Topology::Single,
            capacity: Capacity::of_gb(2),
            gives_all: false,
            shards: 1,
            copies: 1,
            databases: 256,
            spec_code: "redis.single.xu1.large.2".to_owned(),
            product_id: "redis.single.xu1.large.2-h".to_owned(),
            access: Access::Password(Secret::new("First_Pw1")),
            access_user: None,
            requested_port: None,
            renamed_commands: BTreeMap::new(),
            parameters: BTreeMap::new(),
            reserved_mb: 0,
            network: Network { vpc_id: "v".into(), subnet_id: "s".into(), security_group_id: None },
            zones: vec!["z".to_owned()],
            maintenance: MaintenanceWindow::default(),
            backup_policy: None,
            tags: vec![Tag { key: "k".to_owned(), value: "v".to_owned() }],
            owner: Owner { user_id: "u".to_owned(), user_name: "user".to_owned() },
            subscription: None,
            enterprise_project_id: None,
        }
    }

    #[test]
    fn a_record_survives_the_store_form() {
        let instance = Instance {
            id: "i".to_owned(),
            sequence: 7,
            order: order("dcs-a"),
            status: Status::CreateFailed,
            fault: Some(Fault::NotDeployed),
            port: Some(6379),
            node_ports: vec![6380],
            created_at_ms: 1,
            launched_at_ms: None,
            updated_at_ms: None,
            task: None,
            changes: Vec::new(),
            tries: Tries::default(),
            whitelist: Whitelist::default(),
        };
        let stored = serde_json::to_vec(&instance).unwrap();
        assert_eq!(serde_json::from_slice::<Instance>(&stored).unwrap(), instance);
    }

    #[test]
    fn the_store_and_the_wire_name_states_alike() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
