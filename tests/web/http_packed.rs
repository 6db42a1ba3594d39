//! Static files packed by gzip, for those who accept it.

use crate::support::{Answer, Site, request};
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use std::io::Read as _;

fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    GzDecoder::new(&*answer.body)
        .read_to_string(&mut text)
        .expect("gzip");
    text
}

#[tokio::test]
async fn what_becomes_smaller_is_packed_for_who_accepts_it() {
    let script = "export const value = 'the same again';\n".repeat(100);
    let site = Site::new(&[
        ("groups/open.json", "{}"),
        ("www/group.html", &"<p>Group</p>".repeat(100)),
        ("www/script.js", &script),
        ("www/short.js", "export {};"),
        ("www/picture.png", &"x".repeat(1000)),
    ]);
    let mut module = Vec::new();
    GzEncoder::new(script.as_bytes(), Compression::best())
        .read_to_end(&mut module)
        .expect("gzip");
    std::fs::write(site.path("www/module.wasm.gz"), &module).expect("a file");
    let folder = site.path("www").display().to_string();
    let server = site.serve(&["-insecure", "-static", &folder]).await;
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        request(server.address(), "GET", path, headers).await
    };
    let gzip = ("accept-encoding", "br, gzip");

    for path in ["/script.js", "/module.wasm", "/group/open/"] {
        let plain = ask(path, &[]).await;
        let packed = ask(path, &[gzip]).await;
        assert_eq!((plain.status, packed.status), (200, 200), "{path}");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(unpacked(&packed), plain.text(), "{path}");
        assert!(packed.body.len() < plain.body.len() / 4, "{path}");
        assert_eq!(
            packed.header("content-type"),
            plain.header("content-type"),
            "{path}"
        );
        for answer in [&plain, &packed] {
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
        }
        // Each encoding has a tag of its own, which is good for itself only.
        let tag = packed.header("etag").expect("a tag");
        assert_ne!(Some(tag), plain.header("etag"), "{path}");
        let again = ask(path, &[gzip, ("if-none-match", tag)]).await;
        assert_eq!(again.status, 304, "{path}");
        assert_eq!(again.header("vary"), Some("accept-encoding"), "{path}");
        assert_eq!(ask(path, &[("if-none-match", tag)]).await.status, 200);
        // Ranges are those of the plain file.
        let part = ask(path, &[gzip, ("range", "bytes=3-9")]).await;
        assert_eq!(part.status, 206, "{path}");
        assert_eq!(part.header("content-encoding"), None, "{path}");
        assert_eq!(part.text(), &plain.text()[3..10], "{path}");
        let stale = [gzip, ("range", "bytes=3-9"), ("if-range", tag)];
        assert_eq!(ask(path, &stale).await.text(), plain.text(), "{path}");
        let head = request(server.address(), "HEAD", path, &[gzip]).await;
        assert_eq!(head.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(
            head.header("content-length"),
            packed.header("content-length"),
            "{path}"
        );
    }
    for path in ["/short.js", "/picture.png"] {
        let answer = ask(path, &[gzip]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
    }

    // A file that changes is packed anew.
    let other = "export const value = 'another text';\n".repeat(100);
    site.write("www/script.js", &other);
    assert_eq!(unpacked(&ask("/script.js", &[gzip]).await), other);
}

#[tokio::test]
async fn the_web_client_in_the_program_is_packed() {
    let site = Site::new(&[]);
    let server = site.serve(&["-insecure"]).await;
    let gzip = [("accept-encoding", "gzip")];
    for path in ["/", "/css/base.css", "/app/room.js"] {
        let answer = request(server.address(), "GET", path, &gzip).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert!(!unpacked(&answer).is_empty(), "{path}");
    }
    let wasm = "/third-party/tasks-vision/vision_wasm_module_internal.wasm";
    let packed = request(server.address(), "GET", wasm, &gzip).await;
    assert_eq!(packed.header("content-type"), Some("application/wasm"));
    assert!(packed.body.len() < 4_000_000);
    let plain = request(server.address(), "GET", wasm, &[]).await;
    assert!(plain.body.starts_with(b"\0asm"));
    assert!(plain.body.len() > 10_000_000);
}
