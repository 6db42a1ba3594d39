//! Cryptographic tokens: JWTs (RFC 7519) in the compact form of JWS (RFC 7515), signed with one
//! of the keys that a group file lists in `authKeys` (RFC 7517, 7518, 8037).
//!
//! Which algorithm a signature is checked by is the key's to say, never the token's: a token that
//! names another one does not fit the key. So neither `none` nor a public key used as a secret
//! gets anyone in.

use super::permission::Permissions;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Clocks may differ by so many seconds.
const LEEWAY: f64 = 5.0;

/// Why a token was not accepted. For the log: who offers it is only told that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    /// It has not the form of one.
    #[error("it is no JWT")]
    Malformed,
    /// No key of the group signed it.
    #[error("no key of this group signed it with the algorithm of that key")]
    Signature,
    /// It is for something else.
    #[error("its audience is not this group")]
    Audience,
    /// `exp` is past.
    #[error("it has expired")]
    Expired,
    /// `exp` is missing.
    #[error("it never expires")]
    NoExpiry,
    /// `nbf` or `iat` is to come.
    #[error("it is not good yet")]
    NotYet,
    /// It is signed, but says something that cannot be understood.
    #[error("its claims are not understood")]
    Claims,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// `sub`
    pub(super) username: Option<String>,
    /// `permissions`
    pub(super) permissions: Permissions,
}

/// Under which URLs this server is known, which `aud` must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The only host, with its port if that is not the usual one; any if empty.
    pub(super) host: String,
    /// What comes before `/group/` in the path, without a slash at its end.
    pub(super) path: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct RawClaims {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    aud: Option<OneOrMany>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    permissions: Option<Permissions>,
    #[serde(default, rename = "include-subgroups")]
    include_subgroups: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Checks a token that wants into `group`, whose file lists `keys`.
///
/// # Errors
/// When it is not to be accepted.
pub(super) fn check(
    token: &str,
    keys: &[Map<String, Value>],
    place: &Place,
    group: &str,
    now: Timestamp,
) -> Result<Claims, JwtError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    if payload.contains('.') {
        return Err(JwtError::Malformed);
    }
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| JwtError::Malformed)
    };
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| JwtError::Malformed)?;
    let payload = decode(payload)?;
    let signature = decode(signature)?;
    if header.crit.is_some() {
        return Err(JwtError::Signature);
    }
    // Nothing of what it says counts before this.
    keys.iter()
        .filter_map(|key| Key::read(key).ok())
        .filter(|key| key.algorithm == header.alg)
        .filter(|key| header.kid.is_none() || header.kid == key.id)
        .find(|key| key.verifies(signed.as_bytes(), &signature))
        .ok_or(JwtError::Signature)?;
    let claims: RawClaims = serde_json::from_slice(&payload).map_err(|_| JwtError::Claims)?;
    claims.check_times(now)?;
    let whole = claims.include_subgroups.unwrap_or_default();
    let audience = match &claims.aud {
        None => return Err(JwtError::Audience),
        Some(OneOrMany::One(one)) => std::slice::from_ref(one),
        Some(OneOrMany::Many(many)) => many.as_slice(),
    };
    if !audience.iter().any(|url| place.holds(url, group, whole)) {
        return Err(JwtError::Audience);
    }
    Ok(Claims {
        username: claims.sub,
        permissions: claims.permissions.unwrap_or_default(),
    })
}

impl RawClaims {
    fn check_times(&self, now: Timestamp) -> Result<(), JwtError> {
        let now = now.as_millisecond() as f64 / 1000.0;
        if now >= self.exp.ok_or(JwtError::NoExpiry)? + LEEWAY {
            return Err(JwtError::Expired);
        }
        let begins = [self.nbf, self.iat];
        if begins.iter().flatten().any(|begin| now + LEEWAY < *begin) {
            return Err(JwtError::NotYet);
        }
        Ok(())
    }
}

impl Place {
    /// Whether `url` is the location of `group`, or, if it stands for a `whole` tree, that of a
    /// group above it.
    fn holds(&self, url: &str, group: &str, whole: bool) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else {
            return false;
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let usual_port = if scheme.eq_ignore_ascii_case("https") {
            ":443"
        } else {
            ":80"
        };
        let host = host.strip_suffix(usual_port).unwrap_or(host);
        if !self.host.is_empty() && !host.eq_ignore_ascii_case(&self.host) {
            return false;
        }
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return false;
        };
        // Behind a proxy, the path that clients see and the one that Galène goes by.
        ["", self.path.as_str()].iter().any(|prefix| {
            let location = format!("{prefix}/group/{group}/");
            if whole {
                path.ends_with('/')
                    && path.starts_with(&format!("{prefix}/group/"))
                    && location.starts_with(&*path)
            } else {
                location == path
            }
        })
    }
}

/// A JWK, ready for use.
struct Key {
    algorithm: &'static str,
    id: Option<String>,
    material: Material,
}

enum Material {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Material::Public(key) => key.verify_sig(signed, signature).is_ok(),
        }
    }

    /// Reads a key of a group file. `alg` must be there.
    fn read(key: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| match key.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(format!("its {name} is no string")),
            None => Err(format!("it has no {name}")),
        };
        let bytes = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(text(name)?.trim_end_matches('='))
                .map_err(|_| format!("its {name} is not base64url"))
        };
        if key.contains_key("use") && text("use")? != "sig" {
            return Err("it is not for signatures".to_owned());
        }
        let id = match key.get("kid") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text("kid")?.to_owned()),
        };
        let (kind, algorithm) = (text("kty")?, text("alg")?);
        let (algorithm, material) = match kind {
            "oct" => secret(algorithm, &bytes("k")?)?,
            "EC" => {
                let (name, curve, size, verification): (_, _, _, &dyn VerificationAlgorithm) =
                    match algorithm {
                        "ES256" => ("ES256", "P-256", 32, &ECDSA_P256_SHA256_FIXED),
                        "ES384" => ("ES384", "P-384", 48, &ECDSA_P384_SHA384_FIXED),
                        "ES512" => ("ES512", "P-521", 66, &ECDSA_P521_SHA512_FIXED),
                        other => return Err(unknown(other, kind)),
                    };
                if text("crv")? != curve {
                    return Err(format!("its crv is not {curve}, which {name} goes with"));
                }
                let point = point(&bytes("x")?, &bytes("y")?, size)
                    .ok_or_else(|| format!("it is no point of {curve}"))?;
                (name, public(verification, &point)?)
            }
            "RSA" => {
                let (name, verification) = match algorithm {
                    "RS256" => ("RS256", &RSA_PKCS1_2048_8192_SHA256),
                    "RS384" => ("RS384", &RSA_PKCS1_2048_8192_SHA384),
                    "RS512" => ("RS512", &RSA_PKCS1_2048_8192_SHA512),
                    other => return Err(unknown(other, kind)),
                };
                let (n, e) = (bytes("n")?, bytes("e")?);
                let n = without_zeros(&n);
                if !(256..=1024).contains(&n.len()) {
                    return Err("it has less than 2048 bits, or more than 8192".to_owned());
                }
                let e = without_zeros(&e);
                let key = RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(verification)
                    .map_err(|_| "it is no RSA key".to_owned())?;
                (name, Material::Public(key))
            }
            "OKP" => {
                let name = match algorithm {
                    "EdDSA" => "EdDSA",
                    // RFC 9864
                    "Ed25519" => "Ed25519",
                    other => return Err(unknown(other, kind)),
                };
                if text("crv")? != "Ed25519" {
                    return Err("its crv is not Ed25519".to_owned());
                }
                (name, public(&ED25519, &bytes("x")?)?)
            }
            other => return Err(format!("unknown kty {other:?}")),
        };
        Ok(Self {
            algorithm,
            id,
            material,
        })
    }
}

fn secret(algorithm: &str, secret: &[u8]) -> Result<(&'static str, Material), String> {
    let (name, hash, size) = match algorithm {
        "HS256" => ("HS256", hmac::HMAC_SHA256, 32),
        "HS384" => ("HS384", hmac::HMAC_SHA384, 48),
        "HS512" => ("HS512", hmac::HMAC_SHA512, 64),
        other => return Err(unknown(other, "oct")),
    };
    // RFC 7518, section 3.2
    if secret.len() < size {
        return Err(format!("{name} needs a secret of {size} bytes"));
    }
    let key = Box::new(hmac::Key::new(hash, secret));
    Ok((name, Material::Secret(key)))
}

fn public(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Result<Material, String> {
    ParsedPublicKey::new(algorithm, key)
        .map(Material::Public)
        .map_err(|_| "it is no key of its curve".to_owned())
}

fn unknown(algorithm: &str, kind: &str) -> String {
    format!("unknown alg {algorithm:?} of kty {kind:?}")
}

/// The uncompressed form of SEC 1, section 2.3.3. Some leave leading zeros out.
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [without_zeros(x), without_zeros(y)] {
        point.resize(point.len() + size.checked_sub(coordinate.len())?, 0);
        point.extend_from_slice(coordinate);
    }
    Some(point)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// What is wrong with the keys of a group file, by index; the others are in force.
pub(super) fn warnings(keys: &[Map<String, Value>]) -> Vec<(usize, String)> {
    keys.iter()
        .enumerate()
        .filter_map(|(index, key)| {
            let reason = Key::read(key).err()?;
            let what = format!("key {} of authKeys is of no use: {reason}", index + 1);
            Some((index, what))
        })
        .collect()
}

#[cfg(test)]
mod tests;
