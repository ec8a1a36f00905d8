// Details of the protocols that no model on our list shows, on a small model made for it.

import AWSCore
import AWSWire
import Testing

private let restText: StaticString = #"""
  service things id=Things endpoint=things signing=things protocols=rest-json version=2026-01-01
  known GetThing@GET@/things/{thingId}/parts/{path+} PutThing@PUT@/things/{thingId} PutRaw@PUT@/raw/{thingId}@mode@x-kind
  op GetThing GET /things/{thingId}/parts/{path+} GetThingRequest GetThingResponse errors=ThingNotFound
  op PutThing PUT /things/{thingId} PutThingRequest PutThingResponse status=202
  struct GetThingRequest
  m filters Strings n=filter l=querystring
  m ids Integers n=X-Ids l=header
  m path String ! n=path l=uri
  m since Time n=since l=querystring
  m thingId String ! n=thingId l=uri
  struct GetThingResponse
  m Code Integer l=statusCode
  m count Integer
  m etag String n=ETag l=header
  m labels Map n=x-label- l=headers
  m modified Time n=Last-Modified l=header
  m when Time
  list Strings String
  list Integers Integer
  map Map String String
  struct PutThingRequest
  m name String
  m thingId String ! n=thingId l=uri
  m tags Map
  struct PutThingResponse payload=thing
  m thing Thing
  struct Thing
  m name String n=Name
  str String
  int Integer
  ts Time
  struct ThingNotFound code=ThingNotFound status=404 msg=Message
  """#

private let queryText: StaticString = #"""
  service old id=Old endpoint=old signing=old protocols=query version=2026-01-01 ns=http://old.amazonaws.com/doc/
  known Do
  op Do POST / DoRequest DoResponse wrapper=DoResult
  struct DoRequest
  m Attributes Attributes flat n=Attribute
  m Names Names flat
  m Plain Plain
  struct DoResponse
  m Attributes Attributes flat n=Attribute
  m Names Names flat
  m Plain Plain
  map Attributes String String k=Name v=Value
  list Names String n=NameElement
  list Plain String
  str String
  """#

@Suite("Details of the protocols")
struct ProtocolDetailTests {
  private let rest = ServiceModel(restText)
  private let query = ServiceModel(queryText)

  private func text(_ response: WireResponse) -> String { String(decoding: response.body, as: UTF8.self) }

  @Test("REST JSON reads the path, the query string and headers")
  func restRequest() throws {
    let request = WireRequest(
      method: "GET", path: "/things/a%2Fb/parts/x//y%20z", query: "filter=1&filter=a+b&since=2026-11-23T03%3A36%3A09Z",
      headers: ["x-ids": "1, 2,3"])
    let routed = try ServiceRouter(models: [rest]).route(request, signingName: "things")
    #expect(routed.operationName == "GetThing")
    let plain = PlainTree(rest).plain(try routed.input(), shape: routed.operation?.input)
    #expect(
      JSON.write(plain)
        == Array(
          #"{"filters":["1","a b"],"ids":[1,2,3],"path":"x//y z","since":{"$time":1795404969000},"thingId":"a/b"}"#.utf8
        ))
  }

  @Test("REST JSON writes headers, the status and the rest as a document")
  func restResponse() throws {
    let operation = try #require(rest.operation("GetThing"))
    let json =
      #"{"Code": 206, "count": 2, "etag": "e", "labels": {"a": "b"}, "modified": {"$time": 0}, "when": {"$time": 1500}}"#
    let tree = try PlainTree(rest).tree(try JSON.parse(Array(json.utf8)), shape: operation.output)
    let response = WireProtocol.restJSON.codec.encode(output: tree, operation: operation, model: rest, requestID: "r")
    #expect(response.status == 206)
    #expect(text(response) == #"{"count":2,"when":1.5}"#)
    #expect(response.headers["etag"] == "e")
    #expect(response.headers["X-Label-A"] == "b")
    #expect(response.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(response.headers["x-amzn-requestid"] == "r")
  }

  @Test("REST JSON takes a body beside the path, and a payload is the whole body")
  func restBody() throws {
    let request = WireRequest(
      method: "PUT", path: "/things/t", body: Array(#"{"name": "n", "tags": {"a": "b"}, "thingId": "other"}"#.utf8))
    let routed = try ServiceRouter(models: [rest]).route(request, signingName: "things")
    let input = PlainTree(rest).plain(try routed.input(), shape: routed.operation?.input)
    #expect(JSON.write(input) == Array(#"{"name":"n","tags":{"a":"b"},"thingId":"t"}"#.utf8))
    let tree = try PlainTree(rest).tree(
      try JSON.parse(Array(#"{"thing": {"name": "x"}}"#.utf8)), shape: routed.operation?.output)
    let response = routed.response(output: tree, requestID: "r")
    #expect(response.status == 202)
    #expect(text(response) == #"{"Name":"x"}"#)
  }

  @Test("REST JSON errors carry their type in a header and the message in the shape's own member")
  func restError() throws {
    let response = WireProtocol.restJSON.codec.encode(
      error: AWSError("ThingNotFound", "no", status: 404, fields: ["thingId": "t"]), operation: nil, model: rest,
      requestID: "r", resource: nil)
    #expect(response.status == 404)
    #expect(response.headers["x-amzn-errortype"] == "ThingNotFound")
    #expect(text(response) == #"{"Message":"no","thingId":"t"}"#)
  }

  @Test("a route is told by the parameters and headers that it must have")
  func discriminators() throws {
    let router = ServiceRouter(models: [rest])
    let request = WireRequest(method: "PUT", path: "/raw/t", query: "mode=1", headers: ["X-Kind": "k"])
    #expect(try router.route(request, signingName: "things").operationName == "PutRaw")
    let bare = WireRequest(method: "PUT", path: "/raw/t")
    #expect(throws: RoutingFailure.self) { try router.route(bare, signingName: "things") }
  }

  @Test("the query protocol reads flattened lists and maps, and empty lists")
  func flattened() throws {
    let form =
      "Action=Do&Version=2026-01-01&Attribute.1.Name=a&Attribute.1.Value=1&Attribute.2.Name=b&Attribute.2.Value=2"
      + "&NameElement.1=x&NameElement.10=z&NameElement.2=y&Plain="
    let request = WireRequest(
      method: "POST", path: "/", headers: ["Content-Type": "application/x-www-form-urlencoded"], body: Array(form.utf8))
    let routed = try ServiceRouter(models: [query]).route(request)
    let plain = PlainTree(query).plain(try routed.input(), shape: routed.operation?.input)
    #expect(
      JSON.write(plain)
        == Array(#"{"Attributes":{"a":"1","b":"2"},"Names":["x","y","z"],"Plain":[]}"#.utf8))
    let response = routed.response(output: try routed.input(), requestID: "r")
    #expect(
      text(response)
        == "<DoResponse xmlns=\"http://old.amazonaws.com/doc/\"><DoResult><Attribute><Name>a</Name><Value>1</Value>"
        + "</Attribute><Attribute><Name>b</Name><Value>2</Value></Attribute><NameElement>x</NameElement>"
        + "<NameElement>y</NameElement><NameElement>z</NameElement><Plain></Plain></DoResult><ResponseMetadata>"
        + "<RequestId>r</RequestId></ResponseMetadata></DoResponse>")
  }

  @Test("a list may be sent under `member` or the model's own name")
  func members() throws {
    let elements = ["Plain.member.1=a&Plain.member.2=b", "Plain.1=a&Plain.2=b"]
    for form in elements {
      let request = WireRequest(method: "GET", path: "/", query: "Action=Do&\(form)")
      let routed = try ServiceRouter(models: [query]).route(request, signingName: "old")
      #expect(
        JSON.write(PlainTree(query).plain(try routed.input(), shape: routed.operation?.input))
          == Array(#"{"Plain":["a","b"]}"#.utf8))
    }
  }

  @Test("S3's grantees and roots are written as its older clients want them")
  func s3() throws {
    let model = try Models.named("S3")
    func write(_ name: String, _ json: String) throws -> String {
      let operation = try #require(model.operation(name))
      let tree = try PlainTree(model).tree(try JSON.parse(Array(json.utf8)), shape: operation.output)
      return text(WireProtocol.restXML.codec.encode(output: tree, operation: operation, model: model, requestID: "r"))
    }
    let acl = try write(
      "GetBucketAcl", #"{"Grants": [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]}"#)
    #expect(
      acl.contains(
        "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"><URI>u</URI></Grantee>"))
    #expect(acl.contains("<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"))
    #expect(
      try write("GetBucketLocation", "{}").hasSuffix(
        "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"))
    #expect(try write("ListBuckets", "{}").contains("<ListAllMyBucketsResult"))
    #expect(try write("PutObject", #"{"ETag": "e"}"#).isEmpty)
  }

  @Test("JSON keeps every character, and refuses what is no JSON")
  func json() throws {
    let text = "\u{0}\u{1f}\"\\/\u{7f}é\u{1F3F0}\u{2028}"
    #expect(try JSON.parse(JSON.write(.string(text))) == .string(text))
    #expect(try JSON.parse(Array(#""\ud83c\udff0\u00e9\/\ud800x""#.utf8)) == .string("\u{1F3F0}é/\u{FFFD}x"))
    for bad in [
      "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "-", "+1", "nul", "\"\n\"", "1 2", "{a:1}", "\"\\x\"", "NaN", "'a'",
    ] {
      #expect(throws: JSONError.self, "\(bad)") { try JSON.parse(Array(bad.utf8)) }
    }
    #expect(
      try JSON.parse(Array(" [1, -0.5e3, 12345678901234567890, true, null] ".utf8))
        == .array([.integer(1), .double(-500), .double(12_345_678_901_234_567_890), .boolean(true), .null]))
  }
}
