//! The certificate authority of a world, made at its start, and one certificate for all of its names.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// What the servers and the users of a world need.
pub(super) struct Certificates {
    /// For those outside.
    pub(super) ca_pem: String,
    /// For load balancers.
    pub(super) server: Arc<ServerConfig>,
    /// For users.
    pub(super) client: Arc<ClientConfig>,
}

impl Certificates {
    /// Makes them for these names.
    pub(super) fn make(names: Vec<String>) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot make certificates: {error}");
        let ca_key = KeyPair::generate().map_err(|e| failed(&e))?;
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "switchover sandbox: trust this nowhere else");
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_cert = ca.self_signed(&ca_key).map_err(|e| failed(&e))?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate().map_err(|e| failed(&e))?;
        let first = names.first().cloned().unwrap_or_default();
        let mut leaf = CertificateParams::new(names).map_err(|e| failed(&e))?;
        leaf.distinguished_name.push(DnType::CommonName, first);
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&key, &issuer).map_err(|e| failed(&e))?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let der: CertificateDer<'static> = leaf.der().clone();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_no_client_auth()
            .with_single_cert(vec![der], private)
            .map_err(|e| failed(&e))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca_cert.der().clone()).map_err(|e| failed(&e))?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Every user is a browser of their own: nobody resumes another's session.
        client.resumption = rustls::client::Resumption::disabled();
        Ok(Self { ca_pem: ca_cert.pem(), server: Arc::new(server), client: Arc::new(client) })
    }
}
