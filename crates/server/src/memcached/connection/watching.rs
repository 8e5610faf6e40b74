//! A connection that watches what its node does: it is sent lines as they come, and is not listened to.
//!
//! Invariant: it has memory for the lines that are being sent and for those that wait, of which the node says how many
//! there may be.

use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::{Connection, SHARED};

impl Connection {
    /// Sends what is told, until the client hangs up.
    pub(super) async fn watch(&mut self) -> Result<()> {
        self.client.is_watching.store(true, Relaxed);
        poll_fn(|cx| self.poll_watch(cx)).await
    }

    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.client.register(cx.waker());
            if self.client.is_ended() {
                return Poll::Ready(Ok(()));
            }
            self.overhear(cx)?;
            ready!(self.poll_send(cx))?;
            let lines = ready!(self.session.poll_lines(cx));
            self.client.was_sent(lines.len());
            self.output.push(lines, Vec::new());
        }
    }

    /// Reads what has come and forgets it.
    ///
    /// # Errors
    /// The client has hung up.
    fn overhear(&mut self, cx: &mut Context<'_>) -> Result<()> {
        SHARED.with_borrow_mut(|shared| {
            loop {
                let mut buffer = ReadBuf::new(&mut shared.input);
                match Pin::new(&mut self.stream).poll_read(cx, &mut buffer)? {
                    Poll::Ready(()) if buffer.filled().is_empty() => {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    Poll::Ready(()) => self.client.has_sent(buffer.filled().len()),
                    Poll::Pending => return Ok(()),
                }
            }
        })
    }
}
