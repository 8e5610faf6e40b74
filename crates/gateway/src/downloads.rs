//! Files of backups, for whoever has a link to them: nobody proves who he is beyond that.
//!
//! - `GET /downloads/{backup}/{file}/{name}?expires=...&signature=...`: 200 with the file, called `name`; 403 where the link
//!   is not genuine or its time is over; 404 where the file is gone.
//!
//! Errors have the reason as `{"error": "..."}`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use cloud::links::{self, LinkError};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use serde_json::json;
use tokio::sync::mpsc;

use crate::Gateway;

/// How much of a file is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// How many pieces wait for a slow reader.
const PIECES: usize = 4;

/// The path.
pub(crate) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route(&format!("{}/{{backup}}/{{file}}/{{name}}", links::PATH), get(download))
}

async fn download(
    State(gateway): State<Arc<Gateway>>,
    Path((backup, file, _)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let path = match gateway.cloud.follow(&backup, &file, query.as_deref().unwrap_or_default()) {
        Ok(path) => path,
        Err(error @ LinkError::Gone) => return told(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => return told(StatusCode::FORBIDDEN, &error.to_string()),
    };
    match open(&path) {
        Ok((pieces, length)) => {
            let mut response = Response::new(Body::new(pieces));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(CONTENT_LENGTH, length.into());
            response
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "the file of a backup cannot be read");
            told(StatusCode::NOT_FOUND, &LinkError::Gone.to_string())
        }
    }
}

/// A file's pieces as they are read, on a thread of their own.
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Begins to read a file; gives its length, too.
fn open(path: &FilePath) -> io::Result<(Pieces, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let read = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
            let piece = match read {
                Ok(0) => return,
                read => read.map(|_| piece.into()),
            };
            let is_last = piece.is_err();
            // Whoever hangs up wants no more.
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    Ok((Pieces(receiver), length))
}

fn told(status: StatusCode, reason: &str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json!({ "error": reason }).to_string()).into_response()
}
