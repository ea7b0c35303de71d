//! Signatures as the specification "Standard Webhooks" has them: HMAC-SHA256 over ID, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::answer::Trouble;

/// Before the key's base64, as the specification writes it.
const PREFIX: &str = "whsec_";

/// Signs a body: the value of `webhook-signature`. A key is `whsec_` and base64, or any other text as it is.
pub(super) fn sign(key: &str, id: &str, seconds: u64, body: &str) -> Result<String, Trouble> {
    let bytes = match key.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            Trouble::never(
                "notify.key",
                "the signing key begins with `whsec_` and goes on with something else than base64",
            )
            .hint("store the key as the receiver gave it, or without the prefix")
        })?,
        None => key.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err(Trouble::never("notify.key", "the signing key is empty").hint("set the secret that `key` names"));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_example_of_the_specification_comes_out() {
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).ok();
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert!(sign("whsec_?", "i", 1, "").is_err() && sign("", "i", 1, "").is_err());
    }
}
