//! Who may use the API.

use crate::client::{Asking, CONFIG, Place, TOKENS as TOKEN_LINES};
use jiff::{SignedDuration, Timestamp};
use std::net::Ipv4Addr;

const STATS: &str = ".stats";
const GROUPS: &str = ".groups/";
const GROUP: &str = ".groups/watch";
const OTHER: &str = ".groups/other";
const USERS: &str = ".groups/watch/.users/";
const TOKENS: &str = ".groups/watch/.tokens/";
const ROOT_TOKENS: &str = ".groups/.tokens/";

type Offer = fn(Asking<'_>) -> Asking<'_>;

#[tokio::test]
async fn who_may_read_what() {
    let place = Place::start().await;
    // Those that expired long ago would be forgotten.
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let old = format!(
        "{TOKEN_LINES}{{\"token\":\"old\",\"group\":\"\",\"includeSubgroups\":true,\
         \"permissions\":[\"admin\"],\"expires\":\"{yesterday}\"}}\n"
    );
    place.site.write("data/var/tokens.jsonl", &old);
    let everything = [STATS, GROUPS, GROUP, OTHER, USERS, TOKENS, ROOT_TOKENS];
    let of_group = [GROUP, USERS, TOKENS];
    let offers: &[(&str, Offer, &[&str])] = &[
        ("no one", |asking| asking, &[]),
        ("root", |asking| asking.basic("root", "secret"), &everything),
        ("wrong password", |asking| asking.basic("root", "x"), &[]),
        (
            "no administrator of the server",
            |asking| asking.basic("nobody", "secret"),
            &[],
        ),
        (
            "administrator of the group",
            |asking| asking.basic("havelock", "havelock"),
            &of_group,
        ),
        ("an operator", |asking| asking.basic("vimes", "vimes"), &[]),
        ("the wildcard", |asking| asking.basic("any", "wild"), &[]),
        ("token for all", |asking| asking.bearer("all"), &everything),
        (
            "token for the group",
            |asking| asking.bearer("watchadmin"),
            &of_group,
        ),
        ("token without admin", |asking| asking.bearer("tick"), &[]),
        ("token of old", |asking| asking.bearer("old"), &[]),
        ("no token", |asking| asking.bearer("absent"), &[]),
        (
            "nonsense",
            |asking| asking.header("Authorization", "Basic %%%"),
            &[],
        ),
        (
            "other scheme",
            |asking| asking.header("Authorization", "Digest username=root"),
            &[],
        ),
    ];
    for (who, offer, may) in offers {
        for path in everything {
            let answer = offer(place.ask_bare("GET", path)).send().await;
            let expected = if may.contains(&path) { 200 } else { 401 };
            assert_eq!(answer.status, expected, "{who}: {path}: {answer:?}");
            if expected == 401 {
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge, Some("basic realm=\"/galene-api/\""), "{who}");
            }
        }
    }
}

#[tokio::test]
async fn an_administrator_of_a_group_changes_that_group_only() {
    let place = Place::start().await;
    place.site.write("groups/watch/below.json", "{}");
    let havelock = |method, path| place.ask_bare(method, path).basic("havelock", "havelock");
    for (method, path, body, expected) in [
        ("PUT", GROUP, "{\"public\": true}", 204),
        ("PUT", OTHER, "{}", 401),
        ("PUT", ".groups/new", "{}", 401),
        ("PUT", ".groups/watch/below", "{}", 401),
        ("PUT", ".groups/watch/.users/new", "{}", 201),
        ("POST", TOKENS, "{}", 201),
        ("POST", TOKENS, "{\"includeSubgroups\": true}", 403),
        ("POST", ROOT_TOKENS, "{\"includeSubgroups\": true}", 401),
    ] {
        let status = havelock(method, path).json(body).status().await;
        assert_eq!(status, expected, "{method} {path} {body}");
    }
    assert_eq!(havelock("DELETE", GROUP).status().await, 204);
    assert!(!place.site.path("groups/watch.json").exists());
}

#[tokio::test]
async fn users_change_their_own_passwords_and_no_more() {
    let place = Place::start().await;
    let own = ".groups/watch/.users/fred/.password";
    let fred = |method, path, password| place.ask_bare(method, path).basic("fred", password);
    let change = |path, old, new| fred("POST", path, old).body("text/plain", new).status();
    assert_eq!(change(own, "wrong", "new").await, 401);
    assert_eq!(
        change(".groups/watch/.users/vimes/.password", "fred", "new").await,
        401
    );
    assert_eq!(
        change(".groups/watch/.wildcard-user/.password", "fred", "new").await,
        401
    );
    assert_eq!(
        change(".groups/watch/.empty-user/.password", "fred", "new").await,
        401
    );
    assert_eq!(fred("GET", GROUP, "fred").status().await, 401);
    let grant = fred("PUT", ".groups/watch/.users/fred", "fred").json(r#"{"permissions": "op"}"#);
    assert_eq!(grant.status().await, 401);
    // A token in the own name is no password.
    let token = place.ask_bare("POST", own).bearer("tick");
    assert_eq!(token.body("text/plain", "new").status().await, 401);
    // Who comes in by the wildcard has no password to change.
    let wildcard = place.ask_bare("POST", ".groups/watch/.users/any/.password");
    let wildcard = wildcard.basic("any", "wild").body("text/plain", "new");
    assert_eq!(wildcard.status().await, 401);
    assert_eq!(place.file()["users"]["fred"]["password"], "fred");

    assert_eq!(change(own, "fred", "new").await, 204);
    assert_eq!(
        change(own, "fred", "newer").await,
        401,
        "the old one is out of force"
    );
    let file = place.file();
    assert_eq!(file["users"]["fred"]["password"]["type"], "pbkdf2");
    assert_eq!(file["users"]["fred"]["permissions"], "present");
    let put = fred("PUT", own, "new").json("\"newest\"");
    assert_eq!(put.status().await, 204);
    assert_eq!(place.file()["users"]["fred"]["password"], "newest");
    // Of no one who is here before: the same answer as for a wrong password.
    let stranger = place.ask_bare("POST", ".groups/absent/.users/fred/.password");
    let stranger = stranger.basic("fred", "fred").body("text/plain", "x");
    assert_eq!(stranger.status().await, 401);
}

#[tokio::test]
async fn groups_are_read_only_unless_the_configuration_says_so() {
    let place = Place::with(&CONFIG.replace("\"writableGroups\": true,", "")).await;
    let before = place.file();
    for (method, path, kind, body) in [
        ("PUT", GROUP, "application/json", "{}"),
        ("PUT", ".groups/new", "application/json", "{}"),
        ("DELETE", GROUP, "", ""),
        ("PUT", ".groups/watch/.users/fred", "application/json", "{}"),
        ("DELETE", ".groups/watch/.users/fred", "", ""),
        ("DELETE", ".groups/watch/.wildcard-user", "", ""),
        (
            "PUT",
            ".groups/watch/.users/fred/.password",
            "application/json",
            "\"x\"",
        ),
        (
            "POST",
            ".groups/watch/.users/fred/.password",
            "text/plain",
            "x",
        ),
        ("DELETE", ".groups/watch/.users/fred/.password", "", ""),
        (
            "PUT",
            ".groups/watch/.keys",
            "application/jwk-set+json",
            "{\"keys\": []}",
        ),
        ("DELETE", ".groups/watch/.keys", "", ""),
    ] {
        let mut asking = place.ask(method, path);
        if !kind.is_empty() {
            asking = asking.body(kind, body);
        }
        let answer = asking.send().await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(answer.text().contains("writableGroups"), "{answer:?}");
    }
    assert_eq!(place.file(), before);
    assert!(!place.site.path("groups/new.json").exists());
    assert_eq!(place.ask("GET", GROUP).status().await, 200);
    // Tokens are no part of a group's file.
    assert_eq!(place.ask("POST", TOKENS).json("{}").status().await, 201);
}

#[tokio::test]
async fn who_guesses_too_often_must_wait() {
    let place = Place::start().await;
    let here = Ipv4Addr::new(127, 2, 0, 1).into();
    let mut tries = 0;
    loop {
        let guess = place.ask("GET", STATS).basic("root", "guess");
        // Some answers take a while: that is the point, but not of this test.
        let answer = tokio::time::timeout(std::time::Duration::from_secs(2), guess.send_from(here));
        match answer.await {
            Ok(answer) if answer.status == 401 => tries += 1,
            Ok(answer) => {
                assert_eq!(answer.status, 429, "{answer:?}");
                assert!(answer.header("retry-after").is_some());
                break;
            }
            Err(_) => break,
        }
        assert!(tries < 100, "anyone may guess for ever");
    }
    assert!(tries > 5, "a few mistakes are free: {tries}");
    assert_eq!(
        place.ask("GET", STATS).status().await,
        200,
        "others are not slowed down"
    );
}
