//! The passwords of instances: who knows the old one may have a new one.
//!
//! Invariant: tries are counted in the instance's record, under the lock under which a change begins, so that many at
//! once are no more tries than are allowed, and a restart of the process forgives none.
//!
//! Deliberately not here: what a password must be like, and how many tries there are. Providers say so.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, TaskError, node_of};
use crate::identity::Secret;
use crate::instance::{Access, Instance};
use crate::store::Change;
use crate::task::{self, Task};

/// How often a wrong password may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOut {
    /// So many wrong ones in a row lock the instance.
    pub tries: u32,
    /// For so long, in ms.
    pub locked_ms: u64,
}

/// The wrong passwords that an instance has been given in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How many.
    pub failed: u32,
    /// Until when no further one is taken, if there were too many.
    pub locked_until_ms: Option<u64>,
}

/// Whether a password was right.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was; the task gives the instance the new one.
    Right(Arc<Task>),
    /// It was not.
    Wrong {
        /// So many tries are left; with none the instance is locked from now on.
        tries_left: u32,
    },
    /// There were too many wrong ones: it was not looked at.
    Locked {
        /// For so long, still.
        left_ms: u64,
    },
}

impl Cloud {
    /// Gives an instance another password, if `old` is the present one. Under the instant profile it holds, or that has
    /// failed, when this returns: the task says which. Clients that are connected stay.
    ///
    /// # Errors
    /// [`TaskError`], but for [`TaskError::Failed`]; [`TaskError::NotSupported`] for an instance without a password.
    pub async fn change_password(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        old: &str,
        new: Secret,
        lock_out: LockOut,
    ) -> Result<Verdict, TaskError> {
        let now_ms = self.clock.now_ms();
        let (verdict, recorded, before, after) = {
            let mut state = self.state.write();
            let before = state.admits(project_id, id, task::Kind::SetAccess)?;
            let Access::Password(present) = &before.access else { return Err(TaskError::NotSupported) };
            let (tries, verdict) = before.tries.after(present.is(old), now_ms, lock_out);
            let after = Arc::new(Instance { tries, ..Instance::clone(&before) });
            state.put(after.clone());
            let recorded = (after.tries != before.tries).then(|| {
                let change = Change { put_instances: vec![after.clone()], ..Change::default() };
                self.store.commit(change)
            });
            (verdict, recorded, before, after)
        };
        if let Some(recorded) = recorded
            && let Err(error) = recorded.await
        {
            self.state.write().put_back(&after, before);
            return Err(error.into());
        }
        match verdict {
            Some(verdict) => Ok(verdict),
            None => self.set_access(project_id, id, Access::Password(new)).await.map(Verdict::Right),
        }
    }

    /// Has clients of an instance prove in another way who they are, whatever it was. Those that are connected stay. Under
    /// the instant profile it holds, or that has failed, when this returns: the task says which.
    ///
    /// # Errors
    /// [`TaskError`], but for [`TaskError::Failed`]
    pub async fn set_access(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        access: Access,
    ) -> Result<Arc<Task>, TaskError> {
        let details = task::Details { access: Some(access), ..task::Details::default() };
        self.carry_out(project_id, id, task::Kind::SetAccess, details).await
    }

    /// Has the nodes of an instance take another way; whether they have, and the instance as it is then.
    pub(crate) async fn take_access(&self, task: &Task, mut instance: Instance) -> (bool, Instance) {
        let Some(access) = &task.details.access else { return (false, instance) };
        match self.data_plane.set_access(&node_of(&instance), access).await {
            Ok(()) => {
                instance.order.access = access.clone();
                instance.tries = Tries::default();
                (true, instance)
            }
            Err(error) => {
                tracing::warn!(id = %instance.id, %error, "clients of the instance log in as before");
                (false, instance)
            }
        }
    }
}

impl Tries {
    /// What a further try makes of it, and what is answered; nothing where it was right.
    fn after(self, is_right: bool, now_ms: u64, lock_out: LockOut) -> (Tries, Option<Verdict>) {
        let past = match self.locked_until_ms {
            Some(until_ms) if now_ms < until_ms => {
                return (self, Some(Verdict::Locked { left_ms: until_ms - now_ms }));
            }
            Some(_) => Tries::default(),
            None => self,
        };
        if is_right {
            return (Tries::default(), None);
        }
        let failed = past.failed + 1;
        let tries_left = lock_out.tries.saturating_sub(failed);
        let locked_until_ms = (tries_left == 0).then_some(now_ms + lock_out.locked_ms);
        (Tries { failed, locked_until_ms }, Some(Verdict::Wrong { tries_left }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: LockOut = LockOut { tries: 5, locked_ms: 1_000 };

    #[test]
    fn too_many_wrong_passwords_lock_for_a_while() {
        let mut tries = Tries::default();
        for left in (0..5).rev() {
            let (after, verdict) = tries.after(false, 10, FIVE);
            assert!(matches!(verdict, Some(Verdict::Wrong { tries_left }) if tries_left == left));
            tries = after;
        }
        for (now_ms, left) in [(10, 1_000), (1_009, 1)] {
            let (after, verdict) = tries.after(true, now_ms, FIVE);
            assert!(matches!(verdict, Some(Verdict::Locked { left_ms }) if left_ms == left));
            assert_eq!(after, tries, "a try meanwhile changes nothing");
        }
        let (after, verdict) = tries.after(false, 1_010, FIVE);
        assert!(matches!(verdict, Some(Verdict::Wrong { tries_left: 4 })));
        assert_eq!(after, Tries { failed: 1, locked_until_ms: None });
        assert!(tries.after(true, 1_010, FIVE).1.is_none());
    }

    #[test]
    fn the_right_one_forgives_the_wrong_ones() {
        let (once, _) = Tries::default().after(false, 10, FIVE);
        let (none, verdict) = once.after(true, 11, FIVE);
        assert!(verdict.is_none());
        assert_eq!(none, Tries::default());
    }
}
