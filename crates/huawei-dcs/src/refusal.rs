//! Which code answers what an instance does not do: because it is in the wrong state, or has something else to do.
//!
//! Clients try again when they meet one of these, so that a task is at work is told by the code of that task.

use cloud::instance::Status;
use cloud::{TaskError, UpdateError, task};
use operation::ErrorCode;

use crate::code;

/// What every operation may answer that an instance must have time for, and these codes, which some of them have.
macro_rules! occupied {
    ($($more:ident),*) => {
        &[
            &code::UNKNOWN_INSTANCE,
            &code::TASK_RUNNING,
            &code::EXTENDING,
            &code::CHANGING_PASSWORD,
            &code::FREEZING,
            &code::BACKING_UP,
            &code::RESTORING,
            &code::WRONG_STATUS,
            $(&code::$more),*
        ]
    };
}

/// What an operation may answer that an instance must have time for, and that is recorded.
pub(crate) const BUSY: &[&ErrorCode] = occupied![RESTARTING, CREATING, CONFIGURING, NOT_SAVED];

/// The same for a deletion, which begins in every state that lasts and has a code of its own for those who are being created
/// or restarted.
pub(crate) const BUSY_TO_GO: &[&ErrorCode] = occupied![NOT_DELETABLE, CONFIGURING, NOT_SAVED];

/// The same for a change of parameters, which tells by a code of its own that another one is made.
pub(crate) const BUSY_OTHERWISE: &[&ErrorCode] = occupied![RESTARTING, CREATING, NOT_SAVED];

/// The same for a backup, which has a code of its own for what cannot be recorded.
pub(crate) const BUSY_TO_BACK_UP: &[&ErrorCode] = occupied![RESTARTING, CREATING, CONFIGURING];

/// The same for a restore. What is being created has no backups, so that is not what is wrong.
pub(crate) const BUSY_TO_RESTORE: &[&ErrorCode] = occupied![RESTARTING, CONFIGURING];

/// The code of what is going on with an instance.
pub(crate) fn of_busy(kind: task::Kind) -> &'static ErrorCode {
    match kind {
        task::Kind::Create => &code::CREATING,
        task::Kind::Restart => &code::RESTARTING,
        task::Kind::Extend => &code::EXTENDING,
        task::Kind::Configure => &code::CONFIGURING,
        task::Kind::SetAccess => &code::CHANGING_PASSWORD,
        task::Kind::Freeze => &code::FREEZING,
        task::Kind::Backup => &code::BACKING_UP,
        task::Kind::Restore => &code::RESTORING,
        // It is told by the state that it has brought about.
        task::Kind::Flush => &code::WRONG_STATUS,
        // Others have no code of their own.
        _ => &code::TASK_RUNNING,
    }
}

/// The code of a task that does not begin, for operations that have none of their own for it.
pub(crate) fn of_task(error: &TaskError) -> &'static ErrorCode {
    match error {
        TaskError::NotFound => &code::UNKNOWN_INSTANCE,
        TaskError::Busy(kind) => of_busy(*kind),
        TaskError::WrongStatus(status) => of_status(*status),
        TaskError::NotSupported | TaskError::Failed => &code::BROKEN,
        TaskError::Store(_) => &code::NOT_SAVED,
    }
}

/// The code of a change that is not made. Whoever refuses a change itself, or a name, says why.
pub(crate) fn of_update(error: &UpdateError) -> &'static ErrorCode {
    match error {
        UpdateError::NameTaken => &code::NAME_TAKEN,
        UpdateError::Refused => &code::BROKEN,
        UpdateError::Task(error) => of_task(error),
    }
}

fn of_status(status: Status) -> &'static ErrorCode {
    match status {
        Status::Creating => &code::CREATING,
        Status::Restarting => &code::RESTARTING,
        Status::Extending => &code::EXTENDING,
        Status::Restoring => &code::RESTORING,
        _ => &code::WRONG_STATUS,
    }
}
