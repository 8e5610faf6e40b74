//! HTTP over the operation tables: finds the operation of a request, proves the caller, checks the permission, has
//! the service serve the call, and writes the answer.
//!
//! Invariants:
//! - Every answer has an `X-Request-Id` of its own, but for those to what is no HTTP request, or one whose head is too
//!   long: the connection answers them before there is a request.
//! - Nothing that a client sends makes a 500: what is malformed, too long, unknown or forbidden is refused in the
//!   form of the service that owns the path.
//! - A service that panics answers 500 and takes nothing with it. What a service began goes on when the client
//!   hangs up.
//!
//! Deliberately not here: what any provider's documents say.

mod admin;
mod answer;
mod connections;
mod downloads;
mod metrics;
mod pipeline;
mod stopwatch;
mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use cloud::Cloud;
use cloud::service::Service;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use operation::openapi::{self, SecurityScheme};
use operation::{Conflict, Router};
use tokio::net::TcpListener;

use crate::admin::Admin;
use crate::connections::{Connections, Local};
use crate::metrics::Metrics;
use crate::tls::Encrypted;

pub use crate::admin::{can_answer as admin_can_answer, operations as admin_operations};
pub use crate::tls::Certificate;

/// HTTP in front of the services.
pub struct Gateway {
    services: Vec<Arc<dyn Service>>,
    router: Router<usize>,
    schemes: &'static [SecurityScheme],
    openapi: OnceLock<Bytes>,
    metrics: Metrics,
    cloud: Arc<Cloud>,
    /// The certificate of whoever vouches for it.
    authority: OnceLock<String>,
}

impl Gateway {
    /// A gateway to `services` and to what the owner of the machine may do, whose callers prove who they are by one of `schemes`.
    pub fn new(
        mut services: Vec<Arc<dyn Service>>,
        schemes: &'static [SecurityScheme],
        cloud: Arc<Cloud>,
    ) -> Result<Arc<Self>, Conflict> {
        services.push(Arc::new(Admin(cloud.clone())));
        let table = services.iter().enumerate().flat_map(|(owner, service)| {
            service.operations().into_iter().map(move |operation| (operation, owner))
        });
        let router = Router::new(table)?;
        let (openapi, metrics) = (OnceLock::new(), Metrics::default());
        let authority = OnceLock::new();
        Ok(Arc::new(Gateway { services, router, schemes, openapi, metrics, cloud, authority }))
    }

    /// The gateway as an axum router.
    pub fn app(self: &Arc<Self>) -> axum::Router {
        axum::Router::new()
            .route("/healthz", get(healthz))
            .route("/metrics", get(metrics))
            .route("/ca.pem", get(authority))
            .route("/openapi.json", get(openapi))
            .merge(downloads::routes())
            .fallback(operations)
            .layer(middleware::map_response(answer::with_request_id))
            .with_state(self.clone())
    }

    /// Tells whoever asks which certificate to trust, in PEM: that of the authority that vouches for it.
    pub fn vouch(&self, authority: String) {
        // There is one authority as long as the program runs.
        let _ = self.authority.set(authority);
    }

    /// Serves the connections of `listener` until `stop` is done, then the requests under way.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = self.app().into_make_service_with_connect_info::<Local>();
        axum::serve(Connections(listener), app).with_graceful_shutdown(stop).await
    }

    /// The same for connections that are encrypted, by a server with this certificate.
    ///
    /// # Errors
    /// The certificate is of no use.
    pub async fn serve_encrypted(
        self: Arc<Self>,
        listener: TcpListener,
        certificate: Certificate,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = self.app().into_make_service_with_connect_info::<Local>();
        axum::serve(Encrypted::new(listener, certificate)?, app).with_graceful_shutdown(stop).await
    }

    /// The OpenAPI document of all services.
    fn openapi(&self) -> Bytes {
        let document = self.openapi.get_or_init(|| {
            // The last one is this program's own.
            let described = self.services.iter().take(self.services.len() - 1);
            let operations = described.flat_map(|service| service.operations());
            let version = env!("CARGO_PKG_VERSION");
            openapi::document("Carnelian", version, self.schemes, operations).to_string().into()
        });
        document.clone()
    }
}

async fn healthz() -> Response {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

async fn authority(State(gateway): State<Arc<Gateway>>) -> Response {
    match gateway.authority.get() {
        Some(pem) => ([(CONTENT_TYPE, "application/x-pem-file")], pem.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    let text = gateway.metrics.render(&gateway.cloud.count_by_status());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn openapi(State(gateway): State<Arc<Gateway>>) -> Response {
    ([(CONTENT_TYPE, "application/json")], gateway.openapi()).into_response()
}

async fn operations(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Infallible> {
    let local = request.extensions().get::<ConnectInfo<Local>>().map(|info| info.0).unwrap_or_default();
    Ok(gateway.answer(request, local).await)
}
