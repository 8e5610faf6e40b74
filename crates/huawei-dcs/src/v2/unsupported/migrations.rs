//! What migrations do with addresses.

use operation::{Method, Operation, Route};

use super::{REFUSED, id};
use crate::field::PROJECT_ID;
use crate::v2::reference;

pub(super) static OPERATIONS: &[&Operation] = &[&EXCHANGE_INSTANCE_IP, &ROLLBACK_EXCHANGE_INSTANCE_IP];

static EXCHANGE_INSTANCE_IP: Operation = Operation {
    id: "ExchangeInstanceIp",
    summary: "Exchanges the addresses of a migration's source and target.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/migration-task/{task_id}/exchange-ip",
    },
    path: &[PROJECT_ID, id("task_id", "The id of the migration.")],
    source: reference("Exchanging the IP Addresses of the Source and Target"),
    ..REFUSED
}
.checked();

static ROLLBACK_EXCHANGE_INSTANCE_IP: Operation = Operation {
    id: "RollbackExchangeInstanceIp",
    summary: "Exchanges addresses back.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/migration-task/{task_id}/rollback-ip",
    },
    path: &[PROJECT_ID, id("task_id", "The id of the migration.")],
    source: reference("Rolling Back the IP Addresses"),
    ..REFUSED
}
.checked();
