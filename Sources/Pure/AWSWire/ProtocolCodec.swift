// What each of the six protocols can do, and how to get at it.

import AWSCore

/// One of AWS's wire protocols: bytes to a tree of values and back, led by a service's model. Stateless.
public protocol ProtocolCodec: Sendable {
  var wireProtocol: WireProtocol { get }

  /// Reads an operation's input out of a request. Streaming members stay nil; constraints are not checked
  /// (`Validation.check` does that).
  /// - Throws: what the protocol answers to malformed input, such as `SerializationException` or `MalformedXML`.
  func decode(_ request: WireRequest, operation: OperationModel, model: ServiceModel) throws(AWSError)
    -> StructureValue

  /// Writes an operation's output. A streaming member's bytes are the caller's to add; the body is empty then.
  func encode(output: StructureValue, operation: OperationModel, model: ServiceModel, requestID: String) -> WireResponse

  /// Writes an error in the protocol's own shape.
  /// - Parameters:
  ///   - operation: nil where the request named none.
  ///   - model: nil where no service could be told.
  ///   - resource: what S3 calls the error's resource: the path of the request.
  func encode(
    error: AWSError, operation: OperationModel?, model: ServiceModel?, requestID: String, resource: String?
  ) -> WireResponse
}

extension WireProtocol {
  /// The protocol's reader and writer.
  public var codec: any ProtocolCodec {
    switch self {
    case .query: QueryCodec(isEC2: false)
    case .ec2: QueryCodec(isEC2: true)
    case .json: JSONCodec()
    case .cbor: CBORCodec()
    case .restJSON: RESTCodec(isXML: false)
    case .restXML: RESTCodec(isXML: true)
    }
  }
}

/// Limits of what is read; a request beyond them is refused before it costs anything.
public enum WireLimits {
  /// How deep JSON, CBOR and XML may nest.
  public static let depth = 64
  /// How many parameters a form may have.
  public static let formParameters = 20_000
  /// How many parts (`A.member.1.B`) a form's key may have.
  public static let formKeyParts = 64
  /// How many elements an XML document may have.
  public static let xmlElements = 200_000
}

/// What was wrong with a value while it was read; each protocol has its own words for it.
enum DecodeFault: Error {
  /// The document itself is not well-formed.
  case malformed(String)
  /// A value is not of its member's type. `found` says what it was in the protocol's words, never the value.
  case wrongType(member: String, expected: String, found: String)
}

extension Shape {
  /// The kind's name in AWS's messages about wrong types.
  var typeWord: String {
    switch kind {
    case .structure: "Structure"
    case .list: "List"
    case .map: "Map"
    case .string: "String"
    case .integer: "Integer"
    case .double: "Double"
    case .boolean: "Boolean"
    case .blob: "Blob"
    case .timestamp: "Timestamp"
    }
  }
}

/// How an error's code stands in the model.
struct ErrorNames {
  /// The shape's name, which JSON and CBOR tell.
  var shape: String
  /// The code that the query protocols and REST XML tell.
  var code: String
  var trait: Shape.ErrorTrait?

  /// - Parameter code: either of the names.
  init(_ code: String, _ model: ServiceModel?) {
    shape = code
    self.code = code
    guard let model else { return }
    if let index = model.shape(named: code), let trait = model.shape(index).error {
      self.code = trait.code
      self.trait = trait
    } else if let trait = model.error(code: code) {
      shape = model.shapes.first { $0.error?.code == code }?.name ?? code
      self.trait = trait
    }
  }
}
