//! The ledger: the money of the account, its leases and its deals, in memory and among the notes of the store.
//!
//! Invariants:
//! - A change is recorded before anybody sees it, all of it or nothing. Changes are made one after the other, so what was
//!   decided on still holds when it is written.
//! - What was spent is what deals cost that did not fail.
//!
//! Deliberately not here: what is done to instances (`delivery`, `steward`).

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::Cloud;
use cloud::store::CommitError;
use operation::Failure;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::code;
use crate::deal::{self, Deal};
use crate::lease::{Lease, Standing};

/// The ledger.
pub(crate) struct Ledger {
    cloud: Arc<Cloud>,
    writing: tokio::sync::Mutex<()>,
    book: RwLock<Book>,
    /// Told whenever something was written.
    pub(crate) written: Notify,
}

/// What stands in the ledger.
#[derive(Default)]
pub(crate) struct Book {
    account: Account,
    /// What the account has before anything is bought.
    opening_fen: u64,
    pub(crate) leases: BTreeMap<String, Arc<Lease>>,
    pub(crate) deals: BTreeMap<u64, Arc<Deal>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Account {
    spent_fen: u64,
    next_deal: u64,
}

/// A change: records that are new or different, and money.
#[derive(Default)]
pub(crate) struct Edit {
    pub(crate) leases: Vec<Lease>,
    pub(crate) dropped_leases: Vec<String>,
    pub(crate) deals: Vec<Deal>,
    pub(crate) paid_fen: u64,
    pub(crate) paid_back_fen: u64,
}

/// So many deals are remembered, and so many leases of instances that are gone.
const KEPT: usize = 10_000;

const ACCOUNT: &str = "crs/account";
const LEASES: &str = "crs/lease/";
const DEALS: &str = "crs/deal/";

impl Default for Account {
    fn default() -> Self {
        Account { spent_fen: 0, next_deal: deal::FIRST_ID }
    }
}

impl Ledger {
    /// The ledger as the store has it, of an account that began with `opening_fen`.
    pub(crate) fn open(cloud: Arc<Cloud>, opening_fen: u64) -> Self {
        let mut book = Book { opening_fen, ..Book::default() };
        for (name, note) in cloud.take_notes("crs/") {
            if name == ACCOUNT {
                book.account = read(&name, &note).unwrap_or_default();
            } else if name.starts_with(LEASES) {
                book.leases
                    .extend(read::<Lease>(&name, &note).map(|lease| (lease.redis_id.clone(), lease.into())));
            } else if name.starts_with(DEALS) {
                book.deals.extend(read::<Deal>(&name, &note).map(|deal| (deal.id, deal.into())));
            }
        }
        let (writing, written) = (tokio::sync::Mutex::default(), Notify::new());
        Ledger { cloud, writing, book: RwLock::new(book), written }
    }

    /// Reads what stands in it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.read())
    }

    /// The lease of this id.
    pub(crate) fn lease(&self, redis_id: &str) -> Option<Arc<Lease>> {
        self.book.read().leases.get(redis_id).cloned()
    }

    /// Changes what stands in it as `decide` says, which sees it as it is then.
    pub(crate) async fn write<T>(
        &self,
        decide: impl FnOnce(&Book) -> Result<(Edit, T), Failure>,
    ) -> Result<T, Failure> {
        let _writing = self.writing.lock().await;
        let (edit, outcome) = decide(&self.book.read())?;
        let mut after = self.book.read().account;
        after.spent_fen = (after.spent_fen + edit.paid_fen).saturating_sub(edit.paid_back_fen);
        let last = edit.deals.iter().map(|deal| deal.id + 1).max();
        after.next_deal = after.next_deal.max(last.unwrap_or(0));
        let (old_deals, old_leases) = self.book.read().surplus();
        self.record(&edit, after, &old_deals, &old_leases).await.map_err(|error| {
            tracing::error!(%error, "the ledger cannot be written");
            &code::BROKEN
        })?;
        {
            let mut book = self.book.write();
            book.account = after;
            book.leases.extend(edit.leases.into_iter().map(|lease| (lease.redis_id.clone(), lease.into())));
            book.deals.extend(edit.deals.into_iter().map(|deal| (deal.id, deal.into())));
            for id in edit.dropped_leases.iter().chain(&old_leases) {
                book.leases.remove(id);
            }
            for id in &old_deals {
                book.deals.remove(id);
            }
        }
        self.written.notify_waiters();
        Ok(outcome)
    }

    async fn record(
        &self,
        edit: &Edit,
        account: Account,
        old_deals: &[u64],
        old_leases: &[String],
    ) -> Result<(), CommitError> {
        let mut notes = vec![(ACCOUNT.to_owned(), Some(note(&account)))];
        notes.extend(
            edit.leases.iter().map(|lease| (format!("{LEASES}{}", lease.redis_id), Some(note(lease)))),
        );
        notes.extend(edit.deals.iter().map(|deal| (format!("{DEALS}{}", deal.id), Some(note(deal)))));
        let gone = edit.dropped_leases.iter().chain(old_leases);
        notes.extend(gone.map(|id| (format!("{LEASES}{id}"), None)));
        notes.extend(old_deals.iter().map(|id| (format!("{DEALS}{id}"), None)));
        self.cloud.note(notes).await
    }
}

impl Book {
    /// What is left of the account's money.
    pub(crate) fn balance_fen(&self) -> u64 {
        self.opening_fen.saturating_sub(self.account.spent_fen)
    }

    /// The id of the next deal.
    pub(crate) fn next_deal(&self) -> u64 {
        self.account.next_deal
    }

    /// Whether a deal about this instance has not ended.
    pub(crate) fn is_being_delivered(&self, redis_id: &str) -> bool {
        let open = self.deals.values().filter(|deal| deal.state == deal::State::Delivering);
        open.flat_map(|deal| &deal.redis_ids).any(|id| id == redis_id)
    }

    /// The oldest deals that have ended and the leases that are over, beyond those that are remembered.
    fn surplus(&self) -> (Vec<u64>, Vec<String>) {
        let surplus = self.deals.len().saturating_sub(KEPT);
        let ended = self.deals.values().filter(|deal| deal.state != deal::State::Delivering);
        let deals = ended.take(surplus).map(|deal| deal.id).collect();
        if self.leases.len() <= KEPT {
            return (deals, Vec::new());
        }
        let mut over: Vec<_> =
            self.leases.values().filter(|lease| lease.standing == Standing::Released).collect();
        over.sort_by_key(|lease| lease.created_at_ms);
        let surplus = over.len().saturating_sub(KEPT);
        (deals, over.into_iter().take(surplus).map(|lease| lease.redis_id.clone()).collect())
    }
}

fn note(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and finite numbers")
}

/// A record that cannot be read is left out, and the log says so.
fn read<T: DeserializeOwned>(name: &str, note: &[u8]) -> Option<T> {
    serde_json::from_slice(note).map_err(|error| tracing::error!(name, %error, "a note cannot be read")).ok()
}
