//! One client in the group: it joins, publishes, receives, leaves.

use super::client::{Client, ClientError, Place};
use super::description::{CODECS, candidate, flows, formats, with_simulcast};
use super::endpoint::{EndpointId, Event};
use super::media::{Command, Media, NewEndpoint, Work};
use super::options::Options;
use super::receiver::Care;
use super::socket;
use perikon::transport::description::{Fingerprint, IceCredentials, LocalTransport};
use perikon::transport::sdp::{DownOffer, UpOffer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// What all clients share.
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) place: Place,
    pub(crate) local: IpAddr,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) media: Vec<Media>,
    pub(crate) news: UnboundedSender<News>,
    pub(crate) next: AtomicU64,
}

impl Context {
    fn media(&self, id: EndpointId) -> Option<&Media> {
        self.media.get(id.0 as usize % self.media.len())
    }

    fn tell(&self, id: EndpointId, command: Command) {
        if let Some(media) = self.media(id) {
            media.send(command);
        }
    }
}

/// What happened to a client.
#[derive(Debug)]
pub(crate) enum News {
    /// The server let it in, after so long.
    Joined(Duration),
    /// What it publishes is connected.
    Published,
    /// The first media packet of a stream was decrypted. Since the offer; and, for the first
    /// stream of a client, since it asked to join.
    Media {
        since_offer: Duration,
        since_join: Option<Duration>,
    },
    /// A stream that carried media is no more.
    Ended,
    /// It is in trouble, and goes on.
    Trouble(String),
    /// It is gone: as it was told to, or for a reason.
    Left(Result<(), ClientError>),
}

/// What a client does.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The number of the publisher, if it publishes.
    pub(crate) publish: Option<u32>,
    /// What it asks for, if it receives.
    pub(crate) request: Option<Value>,
}

/// Lives in the group until it is told to leave.
pub(crate) async fn run(context: Arc<Context>, part: Part, leave: oneshot::Receiver<()>) {
    let news = context.news.clone();
    let (events, inbox) = mpsc::unbounded_channel();
    let mut session = Session {
        context,
        part,
        id: hex::encode(rand::random::<[u8; 16]>()),
        events,
        up: None,
        downs: HashMap::new(),
        joined: None,
        heard: false,
    };
    let result = session.live(inbox, leave).await;
    session.end();
    // At the end nobody listens.
    let _ = news.send(News::Left(result));
}

struct Session {
    context: Arc<Context>,
    part: Part,
    id: String,
    events: UnboundedSender<Event>,
    up: Option<Up>,
    downs: HashMap<String, Down>,
    /// When it asked to join.
    joined: Option<Instant>,
    heard: bool,
}

struct Up {
    id: String,
    endpoint: EndpointId,
    offer: DownOffer,
    candidate: Value,
}

struct Down {
    endpoint: EndpointId,
    local: LocalTransport,
    remote_ufrag: String,
    offered: Instant,
    heard: bool,
}

impl Session {
    async fn live(
        &mut self,
        mut events: UnboundedReceiver<Event>,
        mut leave: oneshot::Receiver<()>,
    ) -> Result<(), ClientError> {
        let mut client = Client::connect(&self.context.place).await?;
        client
            .send(&json!({"type": "handshake", "version": ["2"], "id": self.id}))
            .await?;
        let options = &self.context.options;
        let mut join = json!({
            "type": "join",
            "kind": "join",
            "group": options.group,
            "username": options.user,
        });
        match &options.token {
            Some(token) => join["token"] = json!(token),
            None => join["password"] = json!(options.password),
        }
        self.joined = Some(Instant::now());
        client.send(&join).await?;
        loop {
            tokio::select! {
                message = client.receive() => {
                    let message = message?;
                    self.message(&mut client, &message).await?;
                }
                event = events.recv() => {
                    if let Some(event) = event {
                        self.event(event);
                    }
                }
                _ = &mut leave => break,
            }
        }
        if let Some(up) = &self.up {
            client.send(&json!({"type": "close", "id": up.id})).await?;
        }
        client.close().await;
        Ok(())
    }

    /// Gives the peer connections back.
    fn end(&mut self) {
        if let Some(up) = self.up.take() {
            self.context.tell(up.endpoint, Command::Remove(up.endpoint));
        }
        for (_, down) in self.downs.drain() {
            self.context
                .tell(down.endpoint, Command::Remove(down.endpoint));
            if down.heard {
                let _ = self.context.news.send(News::Ended);
            }
        }
    }

    fn news(&self, news: News) {
        let _ = self.context.news.send(news);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected(endpoint) => {
                if self.up.as_ref().is_some_and(|up| up.endpoint == endpoint) {
                    self.news(News::Published);
                }
            }
            Event::FirstMedia(endpoint, at) => {
                let mut downs = self.downs.values_mut();
                if let Some(down) = downs.find(|down| down.endpoint == endpoint) {
                    down.heard = true;
                    let since_offer = at - down.offered;
                    let since_join = self
                        .joined
                        .filter(|_| !self.heard)
                        .map(|joined| at - joined);
                    self.news(News::Media {
                        since_offer,
                        since_join,
                    });
                    self.heard = true;
                }
            }
            Event::Failed(reason) => self.news(News::Trouble(reason)),
        }
    }

    async fn message(&mut self, client: &mut Client, message: &Value) -> Result<(), ClientError> {
        let text = |key: &str| message[key].as_str().unwrap_or_default();
        match text("type") {
            "ping" => client.send(&json!({"type": "pong"})).await?,
            "joined" => match text("kind") {
                "join" => self.enter(client).await?,
                "fail" => return Err(ClientError::Refused(text("value").to_owned())),
                "leave" => return Err(ClientError::Closed("it made the client leave".to_owned())),
                _ => {}
            },
            "offer" => self.offered(client, message).await?,
            "answer" => {
                if let Some(up) = self.up.as_ref().filter(|up| up.id == text("id")) {
                    let answer = up
                        .offer
                        .accept(text("sdp"))
                        .map_err(|error| ClientError::Message(error.to_string()))?;
                    if !answer.media.iter().any(|media| media.accepted) {
                        let text = "it accepts none of the codecs";
                        return Err(ClientError::Refused(text.to_owned()));
                    }
                    let remote = Box::new(answer.remote);
                    self.context
                        .tell(up.endpoint, Command::Remote(up.endpoint, remote));
                    client.send(&up.candidate).await?;
                }
            }
            "ice" => {
                let endpoint = match &self.up {
                    Some(up) if up.id == text("id") => Some(up.endpoint),
                    _ => self.downs.get(text("id")).map(|down| down.endpoint),
                };
                let candidate = message["candidate"]["candidate"].as_str();
                if let (Some(endpoint), Some(candidate)) = (endpoint, candidate) {
                    self.context
                        .tell(endpoint, Command::Candidate(endpoint, candidate.to_owned()));
                }
            }
            "close" => self.close_down(text("id")),
            "abort" => {
                return Err(ClientError::Refused(
                    "it does not take the stream".to_owned(),
                ));
            }
            "usermessage" if matches!(text("kind"), "error" | "warning" | "kicked") => {
                self.news(News::Trouble(format!(
                    "{}: {}",
                    text("kind"),
                    message["value"]
                )));
            }
            _ => {}
        }
        Ok(())
    }

    /// The server let it in.
    async fn enter(&mut self, client: &mut Client) -> Result<(), ClientError> {
        if let Some(joined) = self.joined {
            self.news(News::Joined(joined.elapsed()));
        }
        if let Some(request) = &self.part.request {
            client
                .send(&json!({"type": "request", "request": request}))
                .await?;
        }
        if let Some(number) = self.part.publish {
            self.publish(client, number).await?;
        }
        Ok(())
    }

    fn new_endpoint(&self) -> EndpointId {
        EndpointId(self.context.next.fetch_add(1, Ordering::Relaxed))
    }

    fn local_transport(&self) -> LocalTransport {
        LocalTransport {
            ice: IceCredentials {
                ufrag: hex::encode(rand::random::<[u8; 6]>()),
                pwd: hex::encode(rand::random::<[u8; 16]>()),
            },
            fingerprint: self.context.fingerprint.clone(),
            session: (rand::random::<u64>() >> 2, 1),
        }
    }

    async fn publish(&mut self, client: &mut Client, number: u32) -> Result<(), ClientError> {
        let options = &self.context.options;
        let id = hex::encode(rand::random::<[u8; 8]>());
        let (media, flows) = flows(options, number, &id);
        let simulcast = options.simulcast && !options.audio_only;
        let offer = DownOffer { media };
        let local = self.local_transport();
        let mut sdp = offer.to_sdp(&local);
        if simulcast {
            sdp = with_simulcast(&sdp);
        }
        let socket = socket::open(self.context.local)?;
        let candidate = candidate(&id, &socket, &local)?;
        let endpoint = self.new_endpoint();
        let publishers = options.meeting.unwrap_or(options.publishers);
        self.context.tell(
            endpoint,
            Command::Add(Box::new(NewEndpoint {
                id: endpoint,
                socket,
                local: local.ice,
                remote: None,
                work: Work::Publish {
                    flows,
                    phase: f64::from(number) / publishers as f64,
                },
                events: self.events.clone(),
            })),
        );
        let offer_message = json!({
            "type": "offer",
            "id": id,
            "label": "camera",
            "source": self.id,
            "username": options.user,
            "sdp": sdp,
        });
        self.up = Some(Up {
            id,
            endpoint,
            offer,
            candidate,
        });
        client.send(&offer_message).await
    }

    /// A stream is offered, or offered anew.
    async fn offered(&mut self, client: &mut Client, message: &Value) -> Result<(), ClientError> {
        let offered = Instant::now();
        let id = message["id"].as_str().unwrap_or_default();
        let sdp = message["sdp"].as_str().unwrap_or_default();
        if let Some(replaced) = message["replace"].as_str() {
            self.close_down(replaced);
        }
        let offer = UpOffer::parse(sdp, &CODECS)
            .map_err(|error| ClientError::Message(error.to_string()))?;
        let formats = formats(&offer);
        if let Some(down) = self.downs.get_mut(id) {
            if down.remote_ufrag == offer.remote.ice.ufrag {
                down.local.session.1 += 1;
                let sdp = offer.answer(&down.local);
                self.context
                    .tell(down.endpoint, Command::Formats(down.endpoint, formats));
                return client
                    .send(&json!({"type": "answer", "id": id, "sdp": sdp}))
                    .await;
            }
            self.news(News::Trouble(
                "ICE restarts are not supported here: the stream begins anew".to_owned(),
            ));
            self.close_down(id);
        }
        let local = self.local_transport();
        let socket = socket::open(self.context.local)?;
        let candidate = candidate(id, &socket, &local)?;
        let endpoint = self.new_endpoint();
        let sdp = offer.answer(&local);
        let options = &self.context.options;
        let care = Care {
            verify_every: options.verify_every,
            nack: options.nack,
        };
        let remote_ufrag = offer.remote.ice.ufrag.clone();
        self.context.tell(
            endpoint,
            Command::Add(Box::new(NewEndpoint {
                id: endpoint,
                socket,
                local: local.ice.clone(),
                remote: Some(offer.remote),
                work: Work::Receive { formats, care },
                events: self.events.clone(),
            })),
        );
        client
            .send(&json!({"type": "answer", "id": id, "sdp": sdp}))
            .await?;
        client.send(&candidate).await?;
        self.downs.insert(
            id.to_owned(),
            Down {
                endpoint,
                local,
                remote_ufrag,
                offered,
                heard: false,
            },
        );
        Ok(())
    }

    fn close_down(&mut self, id: &str) {
        if let Some(down) = self.downs.remove(id) {
            self.context
                .tell(down.endpoint, Command::Remove(down.endpoint));
            if down.heard {
                self.news(News::Ended);
            }
        }
    }
}
