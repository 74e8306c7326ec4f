//! A private certification authority, made in memory: EC P-256, no `openssl` command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef, X509Ref};

use crate::error::{IoContext, LabError};
use crate::process::scratch_dir;

/// Names that the standard server certificate is valid for.
pub const SERVER_NAMES: [&str; 4] = ["localhost", "mail.example.test", "imap.example.test", "smtp.example.test"];

const DAY: i64 = 86_400;

/// When a certificate is valid, seen from now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Validity {
    /// From yesterday for 90 days.
    #[default]
    Valid,
    /// Ended yesterday.
    Expired,
    /// Begins in 30 days.
    NotYetValid,
}

impl Validity {
    /// Begin and end in seconds since 1970.
    fn range(self) -> (i64, i64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        let (from, to) = match self {
            Self::Valid => (-1, 90),
            Self::Expired => (-30, -1),
            Self::NotYetValid => (30, 90),
        };
        (now + from * DAY, now + to * DAY)
    }
}

/// Contents of a server certificate.
#[derive(Clone, Debug)]
pub struct CertSpec {
    /// DNS names (subjectAltName).
    pub names: Vec<String>,
    /// IP addresses (subjectAltName).
    pub ips: Vec<IpAddr>,
    pub validity: Validity,
}

impl Default for CertSpec {
    /// The standard server certificate: [`SERVER_NAMES`], 127.0.0.1 and ::1.
    fn default() -> Self {
        Self {
            names: SERVER_NAMES.map(String::from).to_vec(),
            ips: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            validity: Validity::Valid,
        }
    }
}

impl CertSpec {
    /// A certificate that is good for these DNS names only.
    pub fn for_names(names: &[&str]) -> Self {
        Self { names: names.iter().map(ToString::to_string).collect(), ips: Vec::new(), validity: Validity::Valid }
    }

    /// The same with another validity.
    pub fn with_validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// The same, also good for this address.
    pub fn with_ip(mut self, ip: IpAddr) -> Self {
        if !self.ips.contains(&ip) {
            self.ips.push(ip);
        }
        self
    }
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct IssuedCert {
    certificate: X509,
    key: PKey<Private>,
}

impl IssuedCert {
    pub fn cert_pem(&self) -> Result<Vec<u8>, LabError> {
        Ok(self.certificate.to_pem()?)
    }

    /// The private key, PKCS#8 in PEM.
    pub fn key_pem(&self) -> Result<Vec<u8>, LabError> {
        Ok(self.key.private_key_to_pem_pkcs8()?)
    }

    /// Certificate and key as a PKCS#12 archive.
    pub fn pkcs12(&self, password: &str) -> Result<Vec<u8>, LabError> {
        let archive = Pkcs12::builder().pkey(&self.key).cert(&self.certificate).build2(password)?;
        Ok(archive.to_der()?)
    }

    /// For a `native_tls` server.
    pub fn identity(&self) -> Result<native_tls::Identity, LabError> {
        Ok(native_tls::Identity::from_pkcs8(&self.cert_pem()?, &self.key_pem()?)?)
    }

    /// Writes `server.crt` and `server.key` into `dir`.
    pub(crate) fn write_into(&self, dir: &Path) -> Result<(), LabError> {
        std::fs::write(dir.join("server.crt"), self.cert_pem()?).doing("writing a certificate")?;
        std::fs::write(dir.join("server.key"), self.key_pem()?).doing("writing a key")
    }
}

pub struct TestCa {
    root: IssuedCert,
    path: OnceLock<PathBuf>,
}

impl TestCa {
    /// A fresh authority that nobody trusts yet.
    pub fn new() -> Result<Self, LabError> {
        let root = build("Mail Lab Root CA", None, None)?;
        Ok(Self { root, path: OnceLock::new() })
    }

    /// The authority of this test process, which every laboratory server uses unless a test names another.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestCa> = OnceLock::new();
        SHARED.get_or_init(|| Self::new().unwrap_or_else(|error| panic!("the test authority cannot be made: {error}")))
    }

    pub fn pem(&self) -> Result<Vec<u8>, LabError> {
        self.root.cert_pem()
    }

    /// A file with the root certificate (PEM), readable by everybody, removed when the test process ends.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn path(&self) -> &Path {
        self.path.get_or_init(|| {
            self.write_file().unwrap_or_else(|error| panic!("the test authority cannot be written: {error}"))
        })
    }

    /// A server certificate signed by this authority.
    pub fn issue(&self, spec: &CertSpec) -> Result<IssuedCert, LabError> {
        let common_name = spec.names.first().map_or("mail-lab", String::as_str);
        Ok(build(common_name, Some(spec), Some(&self.root))?)
    }

    fn write_file(&self) -> Result<PathBuf, LabError> {
        let file = tempfile::Builder::new()
            .prefix("ca-")
            .suffix(".pem")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(scratch_dir()?)
            .doing("making a file for the test authority")?;
        std::fs::write(file.path(), self.pem()?).doing("writing the test authority")?;
        let (_, path) = file.keep().map_err(|error| error.error).doing("keeping the test authority")?;
        Ok(path)
    }
}

/// A certificate that its own key signed, for these DNS names.
pub fn self_signed(names: &[&str]) -> Result<IssuedCert, LabError> {
    let spec = CertSpec::for_names(names);
    let common_name = names.first().copied().unwrap_or("mail-lab");
    Ok(build(common_name, Some(&spec), None)?)
}

/// Without `spec` it is a root, without `issuer` it is signed by itself.
fn build(common_name: &str, spec: Option<&CertSpec>, issuer: Option<&IssuedCert>) -> Result<IssuedCert, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", common_name)?;
    let name = name.build();

    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let serial: Asn1Integer = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_pubkey(&key)?;
    let (from, to) = spec.map_or(Validity::Valid, |s| s.validity).range();
    let (from, to) = (Asn1Time::from_unix(from)?, Asn1Time::from_unix(to)?);
    builder.set_not_before(&from)?;
    builder.set_not_after(&to)?;

    let issuer_name: &X509NameRef = issuer.map_or(&name, |i| i.certificate.subject_name());
    builder.set_issuer_name(issuer_name)?;
    extend(&mut builder, spec, issuer.map(|i| i.certificate.as_ref()))?;
    let signer: &PKeyRef<Private> = issuer.map_or(&key, |i| &i.key);
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(IssuedCert { certificate: builder.build(), key })
}

fn extend(builder: &mut X509Builder, spec: Option<&CertSpec>, issuer: Option<&X509Ref>) -> Result<(), ErrorStack> {
    let Some(spec) = spec else {
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        return builder.append_extension(id);
    };
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    if issuer.is_some() {
        let id = AuthorityKeyIdentifier::new().keyid(true).build(&builder.x509v3_context(issuer, None))?;
        builder.append_extension(id)?;
    }
    if spec.names.is_empty() && spec.ips.is_empty() {
        return Ok(());
    }
    let mut alternative = SubjectAlternativeName::new();
    for name in &spec.names {
        alternative.dns(name);
    }
    for ip in &spec.ips {
        alternative.ip(&ip.to_string());
    }
    let alternative = alternative.build(&builder.x509v3_context(issuer, None))?;
    builder.append_extension(alternative)
}
