//! Static files, as the web server answers: those in the program, and those of a folder.

use crate::support::{Answer, Site, get, request};
use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

const LONG: &str = "0123456789";

fn site() -> Site {
    let site = Site::new(&[
        ("groups/open.json", "{}"),
        ("www/index.html", "<!doctype html><title>Start</title>"),
        ("www/group.html", "<!doctype html><title>Group</title>"),
        ("www/404.html", "<!doctype html><title>Nothing</title>"),
        ("www/long.txt", LONG),
        ("www/script.js", "export {};"),
        ("www/style.css", "p {}"),
        ("www/data.bin", "x"),
        ("www/with/index.html", "inner"),
        ("www/without/file.txt", "x"),
        ("www/.secret", "x"),
        ("www/.well-known/x.txt", "x"),
        ("www/a b.txt", "x"),
        ("outside.txt", "x"),
    ]);
    let file = File::options()
        .append(true)
        .open(site.path("www/long.txt"))
        .expect("a file");
    let times =
        FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1e9 as u64));
    file.set_times(times).expect("setting the time");
    site
}

#[tokio::test]
async fn files_of_a_folder() {
    let site = site();
    let folder = site.path("www").display().to_string();
    let server = site.serve(&["-insecure", "-static", &folder]).await;
    let cases: &[(&str, u16, &str, &str)] = &[
        ("/", 200, "text/html; charset=utf-8", "Start"),
        ("/?x", 200, "text/html; charset=utf-8", "Start"),
        ("/group/open/", 200, "text/html; charset=utf-8", "Group"),
        ("/long.txt", 200, "text/plain; charset=utf-8", LONG),
        (
            "/script.js",
            200,
            "text/javascript; charset=utf-8",
            "export",
        ),
        ("/style.css", 200, "text/css; charset=utf-8", "p {}"),
        ("/data.bin", 200, "application/octet-stream", "x"),
        ("/a%20b.txt", 200, "text/plain; charset=utf-8", "x"),
        ("/with/", 200, "text/html; charset=utf-8", "inner"),
        ("/without/", 403, "text/plain; charset=utf-8", "forbidden"),
        ("/nothing", 404, "text/html; charset=utf-8", "Nothing"),
        ("/nothing/", 404, "text/html; charset=utf-8", "Nothing"),
        ("/long.txt/", 404, "text/html; charset=utf-8", "Nothing"),
        ("/long.txt/x", 404, "text/html; charset=utf-8", "Nothing"),
        ("/.secret", 404, "text/html; charset=utf-8", "Nothing"),
        ("/.well-known/x.txt", 200, "text/plain; charset=utf-8", "x"),
        ("/group/none/", 404, "text/html; charset=utf-8", "Nothing"),
    ];
    for (path, status, content_type, content) in cases {
        let answer = get(server.address(), path).await;
        assert_eq!(answer.status, *status, "{path}");
        assert_eq!(answer.header("content-type"), Some(*content_type), "{path}");
        assert!(answer.text().contains(content), "{path}: {}", answer.text());
        let cached = if *status == 200 {
            "max-age=1800"
        } else {
            "no-cache"
        };
        assert_eq!(answer.header("cache-control"), Some(cached), "{path}");
        assert_eq!(answer.header("etag").is_some(), *status == 200, "{path}");
    }
    for (path, place) in [("/with", "/with/"), ("/with?a=b", "/with/?a=b")] {
        let answer = get(server.address(), path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (308, Some(place)),
            "{path}"
        );
    }
    let outside = get(server.address(), "/..%2Foutside.txt").await;
    assert_eq!(
        (outside.status, outside.header("location")),
        (307, Some("/outside.txt"))
    );
    assert_eq!(get(server.address(), "/outside.txt").await.status, 404);
    // A folder without a page for groups, and then one made for Galène.
    std::fs::rename(site.path("www/group.html"), site.path("www/galene.html")).expect("renaming");
    assert!(
        get(server.address(), "/group/open/")
            .await
            .text()
            .contains("Group")
    );
    std::fs::remove_file(site.path("www/404.html")).expect("removing");
    assert_eq!(
        get(server.address(), "/nothing").await.text(),
        "not found\n"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may_do() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    for path in [
        "/",
        "/group/open/",
        "/group/open",
        "/group/open/.status",
        "/nothing",
        "/%5C",
        "/a/../b",
        "/ws",
    ] {
        let answer = get(server.address(), path).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'self'",
            "connect-src *",
            "script-src 'self'",
            "frame-ancestors 'self'",
        ] {
            assert!(
                policy.split("; ").any(|other| other == part),
                "{path}: {policy}"
            );
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn conditions() {
    let site = site();
    let folder = site.path("www").display().to_string();
    let on_disk = site.serve(&["-insecure", "-static", &folder]).await;
    let embedded = site.serve(&["-insecure"]).await;
    for (server, path) in [(&on_disk, "/long.txt"), (&embedded, "/404.html")] {
        let first = get(server.address(), path).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        let date = first.header("last-modified").expect("a date").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let weak = format!("W/{tag}");
        let list = format!("\"x\", {tag}");
        let old = "Sat, 01 Jan 2000 00:00:00 GMT";
        let cases: &[(&[(&str, &str)], u16)] = &[
            (&[("If-None-Match", &tag)], 304),
            (&[("If-None-Match", &weak)], 304),
            (&[("If-None-Match", &list)], 304),
            (&[("If-None-Match", "*")], 304),
            (&[("If-None-Match", "\"x\"")], 200),
            (&[("If-Modified-Since", &date)], 304),
            (&[("If-Modified-Since", old)], 200),
            (&[("If-Modified-Since", "nonsense")], 200),
            // The tag counts for more than the date.
            (
                &[("If-None-Match", "\"x\""), ("If-Modified-Since", &date)],
                200,
            ),
            (&[("If-Match", &tag)], 200),
            (&[("If-Match", &weak)], 412),
            (&[("If-Match", "\"x\"")], 412),
            (&[("If-Unmodified-Since", &date)], 200),
            (&[("If-Unmodified-Since", old)], 412),
        ];
        for (headers, status) in cases {
            for method in ["GET", "HEAD"] {
                let answer = request(server.address(), method, path, headers).await;
                assert_eq!(answer.status, *status, "{method} {path} {headers:?}");
                assert_eq!(answer.header("etag"), Some(tag.as_str()), "{headers:?}");
                assert_eq!(answer.body.is_empty(), *status != 200 || method == "HEAD");
            }
        }
    }
    on_disk.shutdown().await;
    embedded.shutdown().await;
}

#[tokio::test]
async fn a_changed_file_has_another_tag() {
    let site = site();
    let folder = site.path("www").display().to_string();
    let server = site.serve(&["-insecure", "-static", &folder]).await;
    let tag = |answer: &Answer| answer.header("etag").expect("a tag").to_owned();
    let first = get(server.address(), "/long.txt").await;
    site.write("www/long.txt", "9876543210");
    let second = get(server.address(), "/long.txt").await;
    assert_eq!(second.text(), "9876543210");
    assert_ne!(tag(&first), tag(&second));
    server.shutdown().await;
}

#[tokio::test]
async fn ranges() {
    let site = site();
    let large: String = (0..50_000).map(|number| format!("{number:07}\n")).collect();
    site.write("www/large.txt", &large);
    let folder = site.path("www").display().to_string();
    let server = site.serve(&["-insecure", "-static", &folder]).await;
    let whole = get(server.address(), "/long.txt").await;
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = whole.header("etag").expect("a tag").to_owned();
    let date = whole.header("last-modified").expect("a date").to_owned();
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (&[("Range", "bytes=2-4")], 206, "234", Some("bytes 2-4/10")),
        (&[("Range", "bytes=7-")], 206, "789", Some("bytes 7-9/10")),
        (&[("Range", "bytes=-2")], 206, "89", Some("bytes 8-9/10")),
        (&[("Range", "bytes=0-99")], 206, LONG, Some("bytes 0-9/10")),
        (&[("Range", "bytes=10-")], 416, "", Some("bytes */10")),
        (&[("Range", "bytes=4-2")], 200, LONG, None),
        (&[("Range", "nonsense")], 200, LONG, None),
        (&[("Range", "bytes=0-1,3-4")], 200, LONG, None),
        (
            &[("Range", "bytes=2-4"), ("If-Range", &tag)],
            206,
            "234",
            Some("bytes 2-4/10"),
        ),
        (
            &[("Range", "bytes=2-4"), ("If-Range", &date)],
            206,
            "234",
            Some("bytes 2-4/10"),
        ),
        (
            &[("Range", "bytes=2-4"), ("If-Range", "\"old\"")],
            200,
            LONG,
            None,
        ),
        (
            &[("Range", "bytes=2-4"), ("If-None-Match", &tag)],
            304,
            "",
            None,
        ),
    ];
    for (headers, status, body, range) in cases {
        let answer = request(server.address(), "GET", "/long.txt", headers).await;
        assert_eq!(
            (answer.status, answer.text()),
            (*status, *body),
            "{headers:?}"
        );
        assert_eq!(answer.header("content-range"), *range, "{headers:?}");
    }
    // Longer than what is read at a time, and not at its borders.
    assert_eq!(get(server.address(), "/large.txt").await.text(), large);
    let part = request(
        server.address(),
        "GET",
        "/large.txt",
        &[("Range", "bytes=1001-300000")],
    )
    .await;
    assert_eq!(part.text(), &large[1001..=300_000]);
    let head = request(server.address(), "HEAD", "/large.txt", &[]).await;
    assert_eq!(head.header("content-length"), Some("400000"));
    assert!(head.body.is_empty());
    server.shutdown().await;
}

#[tokio::test]
async fn the_client_in_the_program_is_whole() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let page = get(server.address(), "/group/open/").await;
    assert_eq!(page.status, 200);
    // Everything the pages name is there.
    let mut named = 0;
    for text in [page.text(), get(server.address(), "/").await.text()] {
        for attribute in ["src=\"", "href=\""] {
            for rest in text.split(attribute).skip(1) {
                let name = rest.split(['"', '#', '?']).next().unwrap_or_default();
                if name.is_empty() || name.contains("://") {
                    continue;
                }
                let path = if name.starts_with('/') {
                    name.to_owned()
                } else {
                    format!("/{name}")
                };
                assert_eq!(get(server.address(), &path).await.status, 200, "{path}");
                named += 1;
            }
        }
    }
    assert!(named > 3, "the pages name {named} files");
    assert_eq!(get(server.address(), "/css").await.status, 308);
    assert_eq!(get(server.address(), "/css/").await.status, 403);
    server.shutdown().await;
}
