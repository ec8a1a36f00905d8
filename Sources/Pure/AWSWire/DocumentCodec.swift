// What the protocols share whose request is one document: an object of the input's members.

import AWSCore

/// A protocol whose requests carry their whole input as one document.
protocol DocumentCodec: ProtocolCodec {
  /// What the document has to be, such as `JSON object`.
  static var document: String { get }
  static func parse(_ bytes: [UInt8]) throws(DecodeFault) -> DynamicValue
}

extension DocumentCodec {
  func decode(_ request: WireRequest, operation: OperationModel, model: ServiceModel) throws(AWSError) -> StructureValue
  {
    let shapes = model.shapes
    guard let input = operation.input, case .structure(let members) = shapes[input].kind else {
      return StructureValue(count: 0)
    }
    do throws(DecodeFault) {
      guard !request.body.isEmpty else { return StructureValue(count: members.count) }
      guard case .object(let entries) = try Self.parse(request.body) else {
        throw DecodeFault.malformed("The request's body is not a \(Self.document).")
      }
      return try DynamicDecoder(shapes: shapes).structure(entries, members)
    } catch {
      throw JSONCodec.serialization(error)
    }
  }
}
