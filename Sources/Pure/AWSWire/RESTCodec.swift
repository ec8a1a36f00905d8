// The REST protocols: members in the path, the query string, headers and the body, which is XML or JSON.

import AWSCore

struct RESTCodec: ProtocolCodec {
  let isXML: Bool
  var wireProtocol: WireProtocol { isXML ? .restXML : .restJSON }

  // MARK: - Requests

  func decode(_ request: WireRequest, operation: OperationModel, model: ServiceModel) throws(AWSError) -> StructureValue
  {
    let shapes = model.shapes
    guard let input = operation.input, case .structure(let members) = shapes[input].kind else {
      return StructureValue(count: 0)
    }
    var result: StructureValue
    do throws(DecodeFault) {
      result = try body(request, shapes[input], members, shapes)
    } catch {
      throw bodyFault(error, model)
    }
    guard let template = operation.template, let labels = template.labels(in: request.path) else {
      throw AWSError("InvalidURI", "Couldn't parse the specified URI.")
    }
    guard let pairs = PercentCoding.pairs(request.query) else {
      throw AWSError("InvalidURI", "Couldn't parse the specified URI.")
    }
    for index in members.indices where members[index].location != .body {
      // Members are large values, and an S3 request has few of its operation's forty headers: those that are absent
      // are passed over before anything is copied.
      if members[index].location == .header, request.headers[members[index].wireName] == nil { continue }
      let member = members[index]
      do throws(DecodeFault) {
        let shape = shapes[member.shape]
        switch member.location {
        case .uri:
          if let text = labels.last(where: { $0.name == member.wireName })?.value {
            result.members[index] = try scalar(text, shape, member)
          }
        case .query: result.members[index] = try query(pairs, shape, member, shapes)
        case .header: result.members[index] = try header(request.headers, shape, member, shapes)
        case .headers: result.members[index] = headerMap(request.headers, member)
        case .body, .status: break
        }
      } catch {
        throw parameterFault(error, model)
      }
    }
    return result
  }

  private func body(_ request: WireRequest, _ input: Shape, _ members: [Member], _ shapes: [Shape])
    throws(DecodeFault) -> StructureValue
  {
    var result = StructureValue(count: members.count)
    if let payload = input.payload, let index = members.firstIndex(where: { $0.name == payload }) {
      let member = members[index]
      let shape = shapes[member.shape]
      if member.isStreaming || request.body.isEmpty { return result }
      switch shape.kind {
      case .blob: result.members[index] = .blob(request.body)
      case .string:
        guard let text = String(validating: request.body, as: UTF8.self) else {
          throw .malformed("The body is not UTF-8.")
        }
        result.members[index] = .string(text)
      case .structure(let inner):
        result.members[index] = .structure(try structure(request.body, inner, shapes, bodyOnly: false))
      default: break
      }
      return result
    }
    guard !request.body.isEmpty, members.contains(where: { $0.location == .body && !$0.isStreaming }) else {
      return result
    }
    result = try structure(request.body, members, shapes, bodyOnly: true)
    return result
  }

  private func structure(_ bytes: [UInt8], _ members: [Member], _ shapes: [Shape], bodyOnly: Bool)
    throws(DecodeFault) -> StructureValue
  {
    if isXML {
      let node: XMLNode
      do { node = try XMLNode.parse(bytes) } catch { throw .malformed("\(error)") }
      return try XMLShapeReader(shapes: shapes).structure(node, members, bodyOnly: bodyOnly)
    }
    let value: DynamicValue
    do { value = try JSON.parse(bytes) } catch { throw .malformed("The request's body is not JSON: \(error).") }
    guard case .object(let entries) = value else { throw .malformed("The request's body is not a JSON object.") }
    return try DynamicDecoder(shapes: shapes).structure(entries, members, bodyOnly: bodyOnly)
  }

  private func bodyFault(_ fault: DecodeFault, _ model: ServiceModel) -> AWSError {
    guard isXML else { return JSONCodec.serialization(fault) }
    if isS3(model) {
      return AWSError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
    }
    switch fault {
    case .malformed(let message): return AWSError("MalformedInput", "The request's XML can not be read: \(message).")
    case .wrongType(let member, let expected, _):
      return AWSError("InvalidInput", "The value of \(member) can not be read as \(expected).")
    }
  }

  private func parameterFault(_ fault: DecodeFault, _ model: ServiceModel) -> AWSError {
    guard case .wrongType(let member, let expected, _) = fault else { return bodyFault(fault, model) }
    guard isXML else { return JSONCodec.serialization(fault) }
    if isS3(model) {
      let message = "Provided \(member) not \(expected == "Integer" ? "an integer" : "a \(expected)")"
      return AWSError("InvalidArgument", message, fields: ["ArgumentName": member])
    }
    return AWSError("InvalidInput", "The value of \(member) can not be read as \(expected).")
  }

  private func scalar(_ text: String, _ shape: Shape, _ member: Member) throws(DecodeFault) -> WireValue {
    guard let value = ScalarText.parse(text, shape) else {
      throw .wrongType(member: member.wireName, expected: shape.typeWord, found: "String")
    }
    return value
  }

  private func query(_ pairs: [PercentCoding.Pair], _ shape: Shape, _ member: Member, _ shapes: [Shape])
    throws(DecodeFault) -> WireValue?
  {
    guard pairs.contains(where: { $0.name == member.wireName }) else { return nil }
    let values = pairs.filter { $0.name == member.wireName }.map { $0.value ?? "" }
    switch shape.kind {
    case .list(let element):
      guard !values.isEmpty else { return nil }
      var list: [WireValue] = []
      for value in values { list.append(try scalar(value, shapes[element], member)) }
      return .list(list)
    case .map, .structure: return nil
    case .string: return values.first.map(WireValue.string)
    default:
      guard let text = values.first, !text.isEmpty else { return nil }
      return try scalar(text, shape, member)
    }
  }

  private func header(_ headers: WireHeaders, _ shape: Shape, _ member: Member, _ shapes: [Shape])
    throws(DecodeFault) -> WireValue?
  {
    // Most of the many headers that an operation knows are not there.
    guard headers[member.wireName] != nil else { return nil }
    let values = headers.values(member.wireName)
    guard !values.isEmpty else { return nil }
    switch shape.kind {
    case .list(let element):
      var list: [WireValue] = []
      for value in values.flatMap(splitHeader) { list.append(try scalar(value, shapes[element], member)) }
      return .list(list)
    case .map, .structure: return nil
    case .string: return .string(values.joined(separator: ","))
    default: return values[0].isEmpty ? nil : try scalar(values[0], shape, member)
    }
  }

  /// Divides at commas; an element in quotes may hold commas and escaped quotes.
  private func splitHeader(_ text: String) -> [String] {
    var parts: [String] = []
    var part = ""
    var isQuoted = false
    var isEscaped = false
    for character in text {
      if isEscaped {
        part.append(character)
        isEscaped = false
      } else if isQuoted, character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == ",", !isQuoted {
        parts.append(part)
        part = ""
      } else if character != " " || isQuoted || !part.isEmpty {
        part.append(character)
      }
    }
    parts.append(part)
    return parts
  }

  /// `x-amz-meta-*`: the names are compared without case and come in lower case.
  private func headerMap(_ headers: WireHeaders, _ member: Member) -> WireValue? {
    let prefix = member.wireName.lowercased()
    var entries: [WireValue.MapEntry] = []
    for field in headers.fields {
      let name = field.name.lowercased()
      guard name.hasPrefix(prefix), name.utf8.count > prefix.utf8.count else { continue }
      let key = String(name.dropFirst(prefix.count))
      if let at = entries.firstIndex(where: { $0.key == key }), case .string(let first) = entries[at].value {
        entries[at].value = .string("\(first),\(field.value)")
      } else {
        entries.append(.init(key, .string(field.value)))
      }
    }
    return entries.isEmpty ? nil : .map(entries)
  }

  // MARK: - Responses

  func encode(output: StructureValue, operation: OperationModel, model: ServiceModel, requestID: String) -> WireResponse
  {
    var response = WireResponse(status: operation.status, headers: requestHeaders(model, requestID))
    let shapes = model.shapes
    guard let index = operation.output, case .structure(let members) = shapes[index].kind else { return response }
    for index in 0..<min(members.count, output.members.count) {
      guard let value = output.members[index] else { continue }
      let member = members[index]
      switch member.location {
      case .header: response.headers.append(member.wireName, headerText(value, shapes[member.shape], member, shapes))
      case .headers:
        guard case .map(let entries) = value else { continue }
        for entry in entries {
          response.headers.append(member.wireName + entry.key, ScalarText.write(entry.value, format: .rfc822))
        }
      case .status: if case .integer(let status) = value { response.status = status }
      case .body, .uri, .query: break
      }
    }
    // S3's model has no member for it: a part of an object is 206 (RFC 9110, 15.3.7).
    if response.status == 200, response.headers["Content-Range"] != nil { response.status = 206 }
    if operation.method == "HEAD" { return response }
    if let payload = shapes[index].payload {
      encodePayload(payload, output, members, model, to: &response)
    } else if members.contains(where: { $0.location == .body && !$0.isStreaming }) {
      if isXML {
        var xml = XMLWriter()
        let root = S3XML.root(operation.name, model) ?? operation.name + "Response"
        if isS3(model), operation.name == "GetBucketLocation" {
          // The one answer without a wrapping element: the root is the member itself.
          xml.open(root, [("xmlns", xmlNamespace(model))])
          for case .string(let text)? in output.members { xml.text(text) }
          xml.close(root)
        } else {
          xml.open(root, [("xmlns", xmlNamespace(model))])
          XMLShapeWriter(shapes: shapes).members(output, members, to: &xml)
          xml.close(root)
        }
        response.body = xml.bytes
        setContentType(&response, xmlType(model))
      } else {
        JSONShapeWriter(shapes: shapes).structure(output, members, bodyOnly: true, to: &response.body)
        setContentType(&response, "application/json")
      }
    }
    return response
  }

  private func encodePayload(
    _ payload: String, _ output: StructureValue, _ members: [Member], _ model: ServiceModel,
    to response: inout WireResponse
  ) {
    let shapes = model.shapes
    guard let index = members.firstIndex(where: { $0.name == payload }), !members[index].isStreaming,
      index < output.members.count, let value = output.members[index]
    else { return }
    let member = members[index]
    switch value {
    case .string(let text):
      response.body = Array(text.utf8)
      setContentType(&response, "application/json")
    case .blob(let bytes):
      response.body = bytes
      setContentType(&response, "application/octet-stream")
    case .structure(let inner):
      guard case .structure(let innerMembers) = shapes[member.shape].kind else { return }
      if isXML {
        var xml = XMLWriter()
        let root = member.locationName ?? shapes[member.shape].name
        xml.open(root, [("xmlns", xmlNamespace(model))])
        XMLShapeWriter(shapes: shapes).members(inner, innerMembers, to: &xml)
        xml.close(root)
        response.body = xml.bytes
        setContentType(&response, xmlType(model))
      } else {
        JSONShapeWriter(shapes: shapes).structure(inner, innerMembers, to: &response.body)
        setContentType(&response, "application/json")
      }
    default: break
    }
  }

  private func setContentType(_ response: inout WireResponse, _ type: String) {
    if response.headers["Content-Type"] == nil { response.headers.append("Content-Type", type) }
  }

  private func headerText(_ value: WireValue, _ shape: Shape, _ member: Member, _ shapes: [Shape]) -> String {
    guard case .list(let values) = value, case .list(let element) = shape.kind else {
      return ScalarText.write(value, format: member.timestampFormat ?? shape.timestampFormat ?? .rfc822)
    }
    return values.map { value in
      let text = ScalarText.write(value, format: shapes[element].timestampFormat ?? .rfc822)
      guard text.contains(",") || text.contains("\"") else { return text }
      return "\"" + text.replacing("\"", with: "\\\"") + "\""
    }.joined(separator: ",")
  }

  private func requestHeaders(_ model: ServiceModel?, _ requestID: String) -> WireHeaders {
    isXML && (model.map(isS3) ?? true)
      ? ["x-amz-request-id": requestID, "x-amz-id-2": S3XML.hostID(requestID)] : ["x-amzn-RequestId": requestID]
  }

  private func isS3(_ model: ServiceModel) -> Bool { isXML && model.header.endpointPrefix == "s3" }

  private func xmlType(_ model: ServiceModel) -> String { isS3(model) ? "application/xml" : "text/xml" }

  private func xmlNamespace(_ model: ServiceModel) -> String {
    isS3(model)
      ? "http://s3.amazonaws.com/doc/2006-03-01/"
      : "https://\(model.header.endpointPrefix).amazonaws.com/doc/\(model.header.apiVersion)/"
  }

  func encode(
    error: AWSError, operation: OperationModel?, model: ServiceModel?, requestID: String, resource: String?
  ) -> WireResponse {
    var response = WireResponse(status: error.status, headers: requestHeaders(model, requestID))
    let names = ErrorNames(error.code, model)
    guard isXML else {
      setContentType(&response, "application/json")
      response.headers.append("x-amzn-ErrorType", names.shape)
      response.body = JSON.write(.object(errorMembers(error, type: nil, messageName: names.trait?.messageName)))
      return response
    }
    // An answer to HEAD, and 304, have no body (RFC 9110).
    if operation?.method == "HEAD" || error.status == 304 { return response }
    var xml = XMLWriter()
    if model.map(isS3) ?? true {
      xml.open("Error")
      xml.element("Code", names.code)
      xml.element("Message", error.message)
      for (name, value) in error.fields.sorted(by: { $0.key < $1.key }) { xml.element(name, value) }
      if let resource, error.fields["Resource"] == nil { xml.element("Resource", resource) }
      xml.element("RequestId", requestID)
      xml.element("HostId", S3XML.hostID(requestID))
      xml.close("Error")
      setContentType(&response, "application/xml")
    } else if let model {
      xml.open("ErrorResponse", [("xmlns", xmlNamespace(model))])
      xml.errorElement(error, code: names.code)
      xml.element("RequestId", requestID)
      xml.close("ErrorResponse")
      setContentType(&response, "text/xml")
    }
    response.body = xml.bytes
    return response
  }
}
