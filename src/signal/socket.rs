//! One WebSocket: reading, writing, keeping it alive, closing it.

use super::failure::Failure;
use super::message::Outgoing;
use super::session::Session;
use super::state::State;
use crate::group::Mailbox;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::SinkExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The longest message, bytes: longer ones close the connection with 1009.
const MESSAGE_LIMIT: usize = 1 << 20;
/// Messages up to this size are read before they are refused, so that the client reads the close
/// frame: to close with unread data in the socket would reset the connection.
const READ_LIMIT: usize = 2 * MESSAGE_LIMIT;
/// How long the client has to answer a close frame.
const CLOSING: Duration = Duration::from_secs(2);
/// The longest reason of a close frame, bytes (RFC 6455, section 5.5).
const REASON_LIMIT: usize = 123;
/// After so many notices, what the client says is looked at again.
const BATCH: usize = 256;

/// Bytes that a connection reads or writes at once: it has that much memory to itself.
const BUFFER: usize = 4 * 1024;

/// Sets the limits of messages that [`serve`] counts on.
pub fn limit(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(READ_LIMIT)
        .max_frame_size(READ_LIMIT)
}

/// Where a client connects from.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// The other end of the connection, which may be a proxy's.
    pub remote: SocketAddr,
    /// The client's own, if that is known. Port 0 if only the port is not.
    pub address: Option<SocketAddr>,
}

/// Serves one client until it goes, or must go.
pub async fn serve(mut socket: WebSocket, client: Remote, state: Arc<State>) {
    let mailbox = Arc::new(Mailbox::new(state.limits().mailbox));
    let _entered = state.enter(&mailbox);
    let end = talk(&mut socket, client, &state, &mailbox).await;
    tracing::debug!(client = %client.remote, ?end, "connection ended");
    if let End::Close(code, reason) = end {
        close(&mut socket, code, reason).await;
    }
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// With a close frame of ours.
    Close(u16, String),
    /// The client closed it, or it broke.
    Gone,
    /// The client did not read, or did not answer.
    Dead,
}

/// Something to act on.
enum Input {
    /// A message, as JSON.
    Message(bytes::Bytes),
    /// A control frame: nothing but a sign of life.
    Control,
}

async fn talk(
    socket: &mut WebSocket,
    client: Remote,
    state: &Arc<State>,
    mailbox: &Arc<Mailbox>,
) -> End {
    let limits = *state.limits();
    let first = async {
        loop {
            match receive(socket).await {
                Ok(Input::Message(json)) => return Ok(json),
                Ok(Input::Control) => {}
                Err(end) => return Err(end),
            }
        }
    };
    let first = match timeout(limits.handshake, first).await {
        Ok(Ok(json)) => json,
        Ok(Err(end)) => return end,
        Err(_) => return End::Close(1002, "you must handshake first".to_owned()),
    };
    let session = Session::begin(Arc::clone(state), client, Arc::clone(mailbox), &first);
    let mut session = match session {
        Ok(session) => session,
        Err(Failure::Malformed(text)) => return End::Close(1007, text),
        Err(failure) => return End::Close(1002, failure.to_string()),
    };
    if let Err(end) = converse(socket, &mut session, mailbox).await {
        return end;
    }
    End::Gone
}

async fn converse(
    socket: &mut WebSocket,
    session: &mut Session,
    mailbox: &Mailbox,
) -> Result<(), End> {
    let limits = *session.state.limits();
    let mut heard = Instant::now();
    let mut pinged = heard;
    loop {
        // What the last message caused comes before the errors of the next one.
        drain(socket, session, mailbox).await?;
        write(socket, session, mailbox).await?;

        let silent_until = heard.max(pinged) + limits.ping;
        let wake = silent_until.min(heard + limits.dead);
        tokio::select! {
            input = receive(socket) => {
                heard = Instant::now();
                let Input::Message(json) = input? else { continue };
                // And what happened before a message comes before its reply.
                drain(socket, session, mailbox).await?;
                if let Err(failure) = session.message(&json).await {
                    fail(socket, session, mailbox, failure).await?;
                }
            }
            notice = mailbox.next() => {
                let notice = notice.map_err(|_| slow())?;
                if let Err(failure) = session.notice(notice) {
                    fail(socket, session, mailbox, failure).await?;
                }
            }
            () = tokio::time::sleep_until(wake) => {
                let now = Instant::now();
                if now >= heard + limits.dead {
                    return Err(End::Dead);
                }
                if now >= silent_until {
                    pinged = now;
                    session.send(&Outgoing::Ping);
                }
            }
        }
    }
}

/// Passes on what waits in the mailbox. Bounded, so that a client is heard in a busy group too.
async fn drain(
    socket: &mut WebSocket,
    session: &mut Session,
    mailbox: &Mailbox,
) -> Result<(), End> {
    for _ in 0..BATCH {
        let Some(notice) = mailbox.try_next().map_err(|_| slow())? else {
            return Ok(());
        };
        if let Err(failure) = session.notice(notice) {
            fail(socket, session, mailbox, failure).await?;
        }
        feed(socket, session, mailbox).await?;
    }
    Ok(())
}

fn slow() -> End {
    End::Close(1008, "you do not read what you are sent".to_owned())
}

/// Tells the client what went wrong; an error if that ends the connection.
async fn fail(
    socket: &mut WebSocket,
    session: &mut Session,
    mailbox: &Mailbox,
    failure: Failure,
) -> Result<(), End> {
    tracing::debug!(client = %session.remote, %failure, "refused");
    if let Some((code, reason)) = session.fail(failure) {
        write(socket, session, mailbox).await?;
        return Err(End::Close(code, reason));
    }
    Ok(())
}

/// Hands over what the session has to say, and waits until the system has it.
async fn write(
    socket: &mut WebSocket,
    session: &mut Session,
    mailbox: &Mailbox,
) -> Result<(), End> {
    feed(socket, session, mailbox).await?;
    guarded(session.state.limits().dead, mailbox, socket.flush()).await
}

/// Hands over what the session has to say.
async fn feed(socket: &mut WebSocket, session: &mut Session, mailbox: &Mailbox) -> Result<(), End> {
    let patience = session.state.limits().dead;
    while let Some(text) = session.next_out() {
        guarded(patience, mailbox, socket.feed(Message::Text(text))).await?;
    }
    Ok(())
}

/// Writes, unless the client reads so slowly that its mailbox fills, or not at all.
async fn guarded(
    patience: Duration,
    mailbox: &Mailbox,
    writing: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    tokio::select! {
        biased;
        written = writing => written.map_err(|_| End::Gone),
        () = mailbox.closed() => Err(End::Dead),
        // Who must go does not stay by not reading.
        () = async { mailbox.kicked().await; sleep(CLOSING).await } => Err(End::Dead),
        () = sleep(patience) => Err(End::Dead),
    }
}

async fn receive(socket: &mut WebSocket) -> Result<Input, End> {
    let json = match socket.recv().await {
        None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(Input::Control),
        Some(Ok(Message::Text(text))) => bytes::Bytes::from(text),
        Some(Ok(Message::Binary(json))) => json,
        Some(Err(error)) => return Err(broken(error)),
    };
    if json.len() > MESSAGE_LIMIT {
        return Err(too_long());
    }
    Ok(Input::Message(json))
}

fn too_long() -> End {
    End::Close(
        1009,
        format!("messages are at most {MESSAGE_LIMIT} bytes long"),
    )
}

/// The close code for what the client sent, if it was the client's fault.
fn broken(error: axum::Error) -> End {
    use tungstenite::Error;
    let error = match error.into_inner().downcast::<Error>() {
        Ok(error) => error,
        Err(error) => {
            tracing::debug!(%error, "unknown error of a WebSocket");
            return End::Gone;
        }
    };
    match *error {
        Error::Capacity(_) => too_long(),
        Error::Utf8(_) => End::Close(1007, "not UTF-8".to_owned()),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            End::Gone
        }
        Error::Protocol(error) => End::Close(1002, error.to_string()),
        _ => End::Gone,
    }
}

/// Sends a close frame, and waits for the client's so that it has read all.
async fn close(socket: &mut WebSocket, code: u16, mut reason: String) {
    reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
    let frame = CloseFrame {
        code,
        reason: Utf8Bytes::from(reason),
    };
    let closing = async {
        if socket.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        loop {
            match socket.recv().await {
                None | Some(Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
                // What it is still sending can no longer be read: give it time to read, too.
                Some(Err(_)) => return sleep(CLOSING / 2).await,
            }
        }
    };
    let _ = timeout(CLOSING, closing).await;
}
