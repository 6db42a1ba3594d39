//! Keys that sign JWTs, made anew for each test.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair, RsaSignatureEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A private key, and the JWK that a group file has of it.
pub(crate) struct Signer {
    pub(crate) algorithm: &'static str,
    pub(crate) jwk: Value,
    sign: Sign,
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Signer {
    /// A JWT with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"typ": "JWT", "alg": self.algorithm}), claims)
    }

    /// A JWT with another header than its own.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!(
            "{}.{}",
            base64(header.to_string()),
            base64(claims.to_string())
        );
        let signature = (self.sign)(signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }

    pub(crate) fn secret(algorithm: &'static str, secret: &[u8]) -> Self {
        let hash = match algorithm {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            other => panic!("{other}"),
        };
        let key = hmac::Key::new(hash, secret);
        Self {
            algorithm,
            jwk: json!({"kty": "oct", "alg": algorithm, "k": base64(secret)}),
            sign: Box::new(move |signed| hmac::sign(&key, signed).as_ref().to_vec()),
        }
    }

    pub(crate) fn elliptic(algorithm: &'static str) -> Self {
        let (curve, signing): (&str, &'static EcdsaSigningAlgorithm) = match algorithm {
            "ES256" => ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
            other => panic!("{other}"),
        };
        let key = EcdsaKeyPair::generate(signing).unwrap();
        let (x, y) = {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            (base64(x), base64(y))
        };
        Self {
            algorithm,
            jwk: json!({"kty": "EC", "alg": algorithm, "crv": curve, "x": x, "y": y}),
            sign: Box::new(move |signed| {
                let signature = key.sign(&SystemRandom::new(), signed).unwrap();
                signature.as_ref().to_vec()
            }),
        }
    }

    pub(crate) fn edwards() -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        Self {
            algorithm: "EdDSA",
            jwk: json!({"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519",
                        "x": base64(key.public_key())}),
            sign: Box::new(move |signed| key.sign(signed).as_ref().to_vec()),
        }
    }

    /// One key for the three algorithms: it takes long to make.
    pub(crate) fn rsa() -> [Self; 3] {
        let key = Arc::new(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());
        let encodings: [(_, &'static RsaSignatureEncoding); 3] = [
            ("RS256", &RSA_PKCS1_SHA256),
            ("RS384", &RSA_PKCS1_SHA384),
            ("RS512", &RSA_PKCS1_SHA512),
        ];
        encodings.map(|(algorithm, encoding)| {
            let public = key.public_key();
            let n = public.modulus().big_endian_without_leading_zero();
            let e = public.exponent().big_endian_without_leading_zero();
            let key = Arc::clone(&key);
            Self {
                algorithm,
                jwk: json!({"kty": "RSA", "alg": algorithm, "n": base64(n), "e": base64(e)}),
                sign: Box::new(move |signed| {
                    let mut signature = vec![0; key.public_modulus_len()];
                    key.sign(encoding, &SystemRandom::new(), signed, &mut signature)
                        .unwrap();
                    signature
                }),
            }
        })
    }

    /// One for each algorithm.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::secret("HS256", &rand::random::<[u8; 32]>()),
            Self::secret("HS384", &rand::random::<[[u8; 24]; 2]>().concat()),
            Self::secret("HS512", &rand::random::<[[u8; 32]; 2]>().concat()),
            Self::elliptic("ES256"),
            Self::elliptic("ES384"),
            Self::elliptic("ES512"),
            Self::edwards(),
        ];
        all.extend(Self::rsa());
        all
    }
}
