// What lines in logs say of a connection's TLS.
import COpenSSL
import GateProtocol

extension TLSSession {
  /// The handshake as connection logs tell of it.
  var handshake: HandshakeFacts {
    var facts = HandshakeFacts()
    facts.latency = isEstablished ? handshakeTime : nil
    facts.keyExchange = "-"
    guard let server else { return facts }
    if let leaf = SSL_get0_peer_certificate(ssl) {
      facts.subject = String(decoding: MutualTLS.name(X509_get_subject_name(leaf)), as: UTF8.self)
      facts.validity = MutualTLS.validity(leaf)
      facts.serialNumber = String(decoding: MutualTLS.serialNumber(leaf), as: UTF8.self)
    }
    if case .verify = server.mutual { facts.status = isEstablished ? "Success" : "Failed:" + failure }
    return facts
  }

  /// Why a client's certificate was refused, in the words of connection logs.
  private var failure: String {
    switch verifyError {
    case X509_V_OK: "UnmappedConnectionError"
    case X509_V_ERR_CERT_HAS_EXPIRED: "ClientCertExpired"
    case X509_V_ERR_CERT_NOT_YET_VALID: "ClientCertNotYetValid"
    case X509_V_ERR_CERT_REVOKED: "ClientCertCrlHit"
    case X509_V_ERR_INVALID_PURPOSE: "ClientCertPurposeInvalid"
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: "ClientCertMaxChainDepthExceeded"
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
      "ClientCertUntrusted"
    default: "ClientCertInvalid"
    }
  }
}

extension ListenerRuntime {
  /// Writes the line of a connection whose handshake failed.
  func logFailure(_ loop: EventLoop, _ source: FlowSource, _ tls: TLSSession?) {
    guard let sink = loadBalancer.connectionLog else { return }
    var facts = ConnectionFacts()
    facts.clientAddress = source.address
    facts.clientPort = source.port
    facts.listenerAddress = address
    facts.listenerPort = port
    facts.traceID = (loop.random.next(), loop.random.next())
    if let tls, tls.hasSuite {
      facts.tlsProtocol = tls.version
      facts.tlsCipher = tls.suite
    }
    ConnectionLogLine.append(facts, tls?.handshake ?? HandshakeFacts(), now: loop.wallMicroseconds, to: &sink.lines)
    loop.noteLogLine(sink)
  }
}
