//! A deal: an order that has been paid for, and whether it has been delivered.
//!
//! Invariant: a deal's record has all that its delivery needs, so that a process that starts again goes on with it.

use cloud::identity::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::time;

/// A deal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deal {
    /// Its id.
    pub(crate) id: u64,
    /// The zone of its instances.
    pub(crate) zone_id: u32,
    /// How many instances it is about.
    pub(crate) num: u32,
    /// The number of the user who made it.
    pub(crate) creator: String,
    /// When it was made.
    pub(crate) created_at_ms: u64,
    /// When it was delivered, or failed.
    pub(crate) ended_at_ms: Option<u64>,
    /// How far it is.
    pub(crate) state: State,
    /// What was paid, in fen.
    pub(crate) price_fen: u64,
    /// What was bought.
    pub(crate) goods: Goods,
    /// The instances that it is about.
    pub(crate) redis_ids: Vec<String>,
}

/// How far a deal is. Deals are paid when they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Its instances are being made or changed.
    Delivering,
    /// It has been delivered.
    Delivered,
    /// It could not be. What was not delivered has been paid back.
    Failed,
}

/// What a deal is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Goods {
    /// New instances.
    New {
        /// Their capacity, in MB.
        mem_mb: u32,
        /// For how many months.
        months: u32,
        /// Their password, until the deal has ended.
        password: Secret,
        /// The id and the name of the user who made the deal.
        owner: (String, String),
    },
    /// More time.
    Renewal {
        /// The capacity, in MB.
        mem_mb: u32,
        /// For how many months.
        months: u32,
        /// Until when the instance was paid for.
        deadline_ms: u64,
    },
    /// More capacity.
    Upgrade {
        /// The capacity before, in MB.
        from_mb: u32,
        /// The capacity from now on.
        to_mb: u32,
    },
}

/// For how long an order may be paid, as orders show it; here they are paid at once.
const PAYABLE_MS: u64 = 15 * 24 * 60 * 60 * 1000;

/// The first order's id: that of the document's first example.
pub(crate) const FIRST_ID: u64 = 432_583;

impl Deal {
    /// What is shown of it.
    pub(crate) fn shown(&self) -> Value {
        let (status, description) = match self.state {
            State::Delivering => (3, "Delivering"),
            State::Delivered => (4, "Delivery succeeded"),
            State::Failed => (5, "Delivery failed"),
        };
        let goods = match &self.goods {
            Goods::New { mem_mb, months, .. } => {
                json!({"memSize": mem_mb, "timeSpan": months, "timeUnit": "m", "redisIds": self.redis_ids})
            }
            Goods::Renewal { mem_mb, months, deadline_ms } => json!({
                "curDeadline": time::written(*deadline_ms),
                "memSize": mem_mb,
                "timeSpan": months,
                "timeUnit": "m",
                "redisIds": self.redis_ids,
            }),
            Goods::Upgrade { from_mb, to_mb } => {
                json!({"oldMemSize": from_mb, "newMemsize": to_mb, "redisIds": self.redis_ids})
            }
        };
        let created = time::written(self.created_at_ms);
        json!({
            "dealId": self.id.to_string(),
            "dealName": self.name(),
            "zoneId": self.zone_id,
            "goodsNum": self.num,
            "creator": self.creator,
            // Examples spell it in both ways.
            "creatTime": created,
            "createTime": created,
            "overdueTime": time::written(self.created_at_ms + PAYABLE_MS),
            "endTime": self.ended_at_ms.map(time::written).unwrap_or_default(),
            "status": status,
            "description": description,
            "price": self.price_fen,
            "goodsDetail": goods,
        })
    }

    /// The long id: the day, and a number of six digits.
    fn name(&self) -> String {
        format!("{}{:06}", time::day(self.created_at_ms), self.id % 1_000_000)
    }
}
