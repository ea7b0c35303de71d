//! The protocol, as the library speaks it: where to send a browser, and what comes of a code.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse, UserInfoClaims,
};
use runbook::Oidc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::oidc::OidcError;
use crate::access::oidc::begun::One;
use crate::access::oidc::http::Http;
use crate::words::chain;

/// Signatures that only the provider can make: whoever knows the client's secret, or a public key, can make no other.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// All claims that the library has no field for: groups are among them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Rest(Map<String, Value>);

impl AdditionalClaims for Rest {}

type Token = IdTokenFields<
    Rest,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Answer = StandardTokenResponse<Token, CoreTokenType>;
type Library = openidconnect::Client<
    Rest,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The daemon to a provider.
pub(super) struct Client<'a> {
    library: Library,
    file: &'a Oidc,
}

/// What a code gave; nothing of it is believed before it is verified.
pub(super) struct Exchanged(Answer);

/// Why an ID token is not believed.
pub(super) enum Doubt {
    /// It is signed with a key that the provider had not shown when it was last asked.
    Key,
    /// For good.
    Token(OidcError),
}

impl<'a> Client<'a> {
    pub(super) fn new(
        file: &'a Oidc,
        back: &RedirectUrl,
        metadata: &CoreProviderMetadata,
        secret: Option<ClientSecret>,
    ) -> Self {
        let id = ClientId::new(file.client_id.clone());
        let library = Library::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(back.clone());
        let ways = metadata.token_endpoint_auth_methods_supported();
        // The header is what a provider takes that does not say.
        let in_form = ways.is_some_and(|ways| {
            ways.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let way = if in_form { AuthType::RequestBody } else { AuthType::BasicAuth };
        Self { library: library.set_auth_type(way), file }
    }

    /// Where the browser goes.
    pub(super) fn leads(&self, state: String, nonce: Nonce, challenge: PkceCodeChallenge) -> String {
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self.library.authorize_url(flow, || CsrfToken::new(state), || nonce);
        let scopes = self.file.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let (url, ..) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        url.into()
    }

    /// Gives a code and gets tokens for it.
    pub(super) async fn exchange(&self, code: String, one: &One, http: &Http) -> Result<Exchanged, OidcError> {
        let request = self.library.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|_| OidcError::Unreachable("it has no token endpoint".to_owned()))?;
        let verifier = openidconnect::PkceCodeVerifier::new(one.verifier.secret().clone());
        let answer = request.set_pkce_verifier(verifier).request_async(http).await;
        answer.map(Exchanged).map_err(|error| match error {
            // Its words may hold what it was sent; its code is one of a few.
            RequestTokenError::ServerResponse(said) => OidcError::Code(code_of(said.error().as_ref())),
            RequestTokenError::Request(error) => OidcError::Unreachable(error.to_string()),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                OidcError::Token("its answer to the code cannot be read".to_owned())
            }
        })
    }

    /// The claims of the ID token, if the provider signed it, for this daemon and this sign-in.
    pub(super) fn verified(&self, exchanged: &Exchanged, nonce: &Nonce) -> Result<Map<String, Value>, Doubt> {
        let never = |why: &str| Doubt::Token(OidcError::Token(why.to_owned()));
        let token = exchanged.0.extra_fields().id_token().ok_or_else(|| never("it sent no ID token"))?;
        let verifier = self.library.id_token_verifier().set_allowed_algs(SIGNATURES);
        let claims: &IdTokenClaims<Rest, CoreGenderClaim> =
            token.claims(&verifier, nonce).map_err(|error| match error {
                ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Doubt::Key,
                error => Doubt::Token(OidcError::Token(report::plain(&chain(&error)))),
            })?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.file.client_id) {
            return Err(never("it is for another client"));
        }
        object(claims).ok_or_else(|| never("its claims cannot be read"))
    }

    /// What the provider says when it is asked for more than the ID token holds; empty if it cannot be asked.
    pub(super) async fn more(
        &self,
        exchanged: &Exchanged,
        subject: &str,
        http: &Http,
    ) -> Result<Map<String, Value>, OidcError> {
        let token = exchanged.0.access_token();
        // The library takes for granted that it can stand in a header.
        if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OidcError::Token("its access token cannot be sent".to_owned()));
        }
        let subject = openidconnect::SubjectIdentifier::new(subject.to_owned());
        let Ok(request) = self.library.user_info(token.clone(), Some(subject)) else { return Ok(Map::new()) };
        let claims: Result<UserInfoClaims<Rest, CoreGenderClaim>, _> = request.request_async(http).await;
        let claims = claims.map_err(|error| match error {
            openidconnect::UserInfoError::Request(error) => OidcError::Unreachable(error.to_string()),
            _ => OidcError::Token("what it says when it is asked for more cannot be used".to_owned()),
        })?;
        Ok(object(&claims).unwrap_or_default())
    }
}

/// Where the provider sends people back to. Without it a provider may choose among those that it knows.
pub(super) fn back_to(public_url: &str) -> Result<RedirectUrl, String> {
    let back = format!("{public_url}/sign-in/oidc/back");
    RedirectUrl::new(back).map_err(|error| format!("`public_url` cannot be used: {error}"))
}

/// A code of an error as OAuth has them; what is no such code is not passed on.
pub(super) fn code_of(said: &str) -> String {
    let good =
        !said.is_empty() && said.len() <= 60 && said.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if good { said.to_owned() } else { "an error that is not known".to_owned() }
}

fn object(claims: &impl Serialize) -> Option<Map<String, Value>> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => Some(claims),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::back_to;

    #[test]
    fn without_an_address_to_come_back_to_nobody_is_sent_away() {
        assert_eq!(back_to("https://a.example").expect("a URL").as_str(), "https://a.example/sign-in/oidc/back");
        assert!(back_to("a.example").expect_err("no URL").contains("public_url"));
    }
}
