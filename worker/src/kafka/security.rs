//! What a resource says of security, as settings of librdkafka: for consumer, probe and producer alike.
//!
//! Certificates, keys and passwords are handed over in memory; librdkafka reads no file of ours.

use gristmill_crds::SaslMechanism;
use gristmill_crds::plan::{ConfigMapKey, IngestPlan, SaslPlan, SecretKey, SecurityPlan, TlsPlan};

use super::Connection;
use crate::secrets::{Error, Reference, Secrets};

/// Keys of a Secret of type `kubernetes.io/tls`.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

impl Connection {
    /// The brokers of a resource, with its settings and what its references hold now.
    ///
    /// # Errors
    /// A referenced value is missing, or is not what it is for.
    pub fn of(plan: &IngestPlan, secrets: &Secrets) -> Result<Self, Error> {
        let config = plan.kafka_config.iter().map(|(name, value)| (name.clone(), value.clone()));
        let security = settings(&plan.security, secrets)?;
        // Security last: no setting of the document takes its place.
        Ok(Self::plaintext(&plan.bootstrap_servers)
            .with_settings(config)
            .with_settings(security.into_iter().map(|(name, value)| (name.to_owned(), value))))
    }
}

/// The settings of a security block.
fn settings(security: &SecurityPlan, secrets: &Secrets) -> Result<Vec<(&'static str, String)>, Error> {
    let SecurityPlan { tls, sasl } = security;
    let protocol = match (tls, sasl) {
        (None, None) => "PLAINTEXT",
        (Some(_), None) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (Some(_), Some(_)) => "SASL_SSL",
    };
    let mut settings = vec![("security.protocol", protocol.to_owned())];
    if let Some(tls) = tls {
        tls_settings(tls, secrets, &mut settings)?;
    }
    if let Some(sasl) = sasl {
        sasl_settings(sasl, secrets, &mut settings)?;
    }
    Ok(settings)
}

fn tls_settings(tls: &TlsPlan, secrets: &Secrets, settings: &mut Vec<(&'static str, String)>) -> Result<(), Error> {
    let TlsPlan { ca, client_certificate } = tls;
    settings.push(("ssl.endpoint.identification.algorithm", "https".to_owned()));
    match ca {
        Some(ConfigMapKey { config_map, key }) => {
            let field = "spec.source.kafka.security.tls.caConfigMapKeyRef";
            settings.push(("ssl.ca.pem", secrets.pem(Reference::config_map(field, config_map, key))?));
        }
        // OpenSSL is built in and knows no system's own place of certificates: librdkafka tries those that are usual.
        None => settings.push(("ssl.ca.location", "probe".to_owned())),
    }
    if let Some(secret) = client_certificate {
        let field = "spec.source.kafka.security.tls.clientCertificateSecretRef";
        let pem = |key| secrets.pem(Reference::secret(field, secret, key));
        settings.push(("ssl.certificate.pem", pem(CERTIFICATE)?));
        settings.push(("ssl.key.pem", pem(KEY)?));
    }
    Ok(())
}

fn sasl_settings(sasl: &SaslPlan, secrets: &Secrets, settings: &mut Vec<(&'static str, String)>) -> Result<(), Error> {
    let SaslPlan { mechanism, username, password: SecretKey { secret, key } } = sasl;
    let mechanism = match mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    let field = "spec.source.kafka.security.sasl.passwordSecretKeyRef";
    settings.push(("sasl.mechanism", mechanism.to_owned()));
    settings.push(("sasl.username", username.clone()));
    settings.push(("sasl.password", secrets.text(Reference::secret(field, secret, key))?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;
    use crate::secrets::{Holder, Values};

    const PASSWORD: &str = "correct horse battery staple";
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    fn secrets() -> Secrets {
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
        };
        Secrets::default()
            .with_document(Holder::ConfigMap, "kafka-ca", values(&[("ca.crt", PEM)]))
            .with_document(Holder::Secret, "books-kafka", values(&[("tls.crt", PEM), ("tls.key", PEM)]))
            .with_document(Holder::Secret, "books-sasl", values(&[("password", PASSWORD)]))
    }

    fn tls() -> TlsPlan {
        TlsPlan {
            ca: Some(ConfigMapKey { config_map: "kafka-ca".to_owned(), key: "ca.crt".to_owned() }),
            client_certificate: Some("books-kafka".to_owned()),
        }
    }

    fn sasl(mechanism: SaslMechanism) -> SaslPlan {
        let password = SecretKey { secret: "books-sasl".to_owned(), key: "password".to_owned() };
        SaslPlan { mechanism, username: "books".to_owned(), password }
    }

    fn text(security: &SecurityPlan) -> String {
        let settings = settings(security, &secrets()).expect("everything is given");
        settings.iter().map(|(name, value)| format!("{name} = {}\n", value.replace('\n', "|"))).collect()
    }

    #[test]
    fn tls_and_scram_become_settings() {
        let security = SecurityPlan { tls: Some(tls()), sasl: Some(sasl(SaslMechanism::ScramSha512)) };
        insta::assert_snapshot!(text(&security), @r"
        security.protocol = SASL_SSL
        ssl.endpoint.identification.algorithm = https
        ssl.ca.pem = -----BEGIN CERTIFICATE-----|MIIB|-----END CERTIFICATE-----
        ssl.certificate.pem = -----BEGIN CERTIFICATE-----|MIIB|-----END CERTIFICATE-----
        ssl.key.pem = -----BEGIN CERTIFICATE-----|MIIB|-----END CERTIFICATE-----
        sasl.mechanism = SCRAM-SHA-512
        sasl.username = books
        sasl.password = correct horse battery staple
        ");
    }

    #[rstest::rstest]
    #[case(None, None, "PLAINTEXT")]
    #[case(Some(TlsPlan::default()), None, "SSL")]
    #[case(None, Some(sasl(SaslMechanism::Plain)), "SASL_PLAINTEXT")]
    fn protocol_follows_the_blocks(
        #[case] tls: Option<TlsPlan>,
        #[case] sasl: Option<SaslPlan>,
        #[case] protocol: &str,
    ) {
        assert!(text(&SecurityPlan { tls, sasl }).starts_with(&format!("security.protocol = {protocol}\n")));
    }

    /// librdkafka is asked to make a client: a build without TLS or SCRAM refuses the settings.
    #[rstest::rstest]
    #[case(SaslMechanism::Plain)]
    #[case(SaslMechanism::ScramSha256)]
    #[case(SaslMechanism::ScramSha512)]
    fn librdkafka_is_built_with_tls_and_every_mechanism(#[case] mechanism: SaslMechanism) {
        let security = SecurityPlan { tls: Some(TlsPlan::default()), sasl: Some(sasl(mechanism)) };
        let settings = settings(&security, &secrets()).expect("everything is given");
        // The machine of a test may have no certificates in the usual places.
        let settings = settings.into_iter().filter(|(name, _)| *name != "ssl.ca.location");
        let connection = Connection::plaintext("127.0.0.1:1")
            .with_settings(settings.map(|(name, value)| (name.to_owned(), value)))
            .with_settings([("enable.ssl.certificate.verification".to_owned(), "false".to_owned())]);
        let client: Result<BaseConsumer, _> = connection.client_config().create();
        assert!(client.is_ok(), "{:?}", client.err());
    }

    #[test]
    fn a_certificate_that_is_none_is_refused_without_a_word_of_any_secret() {
        let security = SecurityPlan { tls: Some(tls()), sasl: Some(sasl(SaslMechanism::ScramSha512)) };
        let settings = settings(&security, &secrets()).expect("everything is given");
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        let connection = Connection::plaintext("127.0.0.1:1").with_settings(settings);
        let Err(error) = connection.client_config().create::<BaseConsumer>() else { panic!("MIIB is no certificate") };
        let fault = connection.refused(error);
        let failure = crate::exit::Failure::new(crate::exit::Exit::Kafka, fault.reason(), &fault);
        for text in [failure.message, format!("{fault:?}"), format!("{connection:?}")] {
            assert!(!text.contains(PASSWORD) && !text.contains("MIIB"), "{text}");
        }
    }
}
