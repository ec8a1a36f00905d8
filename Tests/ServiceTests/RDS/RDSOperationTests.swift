// RDS's operations without servers: what is recorded, given back and refused.

import AWSCore
import RDSModel
import ServiceKit
import Testing

@testable import RDSService

@Suite("RDS operations") struct RDSOperationTests {
  private func create(_ f: DataFixture, _ configure: (inout RDS.CreateDBClusterMessage) -> Void = { _ in }) async throws
  {
    try await f.run(RDS.createDBCluster) {
      $0.dbClusterIdentifier = "Orders"
      $0.engine = "aurora-postgresql"
      $0.masterUsername = "castle"
      $0.masterUserPassword = "open-sesame-1"
      configure(&$0)
    }
  }

  @Test("what is sent comes back, also the subnet group, the parameters and the tags")
  func comesBack() async throws {
    try await DataFixture.quiet { f in
      let subnets = try await f.subnets()
      try await f.run(RDS.createDBSubnetGroup) {
        $0.dbSubnetGroupName = "Data"
        $0.dbSubnetGroupDescription = "where data lives"
        $0.subnetIds = Array(subnets.prefix(2))
      }
      try await f.run(RDS.createDBClusterParameterGroup) {
        $0.dbClusterParameterGroupName = "tuned"
        $0.dbParameterGroupFamily = "aurora-postgresql15"
        $0.description = "tuned"
      }
      try await f.run(RDS.modifyDBClusterParameterGroup) {
        $0.dbClusterParameterGroupName = "tuned"
        $0.parameters = [
          .make {
            $0.parameterName = "log_statement"
            $0.parameterValue = "ddl"
            $0.applyMethod = "immediate"
          }
        ]
      }
      try await create(f) {
        $0.dbSubnetGroupName = "data"
        $0.dbClusterParameterGroupName = "tuned"
        $0.backupRetentionPeriod = 7
        $0.port = 6432
        $0.deletionProtection = true
        $0.serverlessV2ScalingConfiguration = .make {
          $0.minCapacity = 0.5
          $0.maxCapacity = 16
        }
        $0.tags = [
          .make {
            $0.key = "team"
            $0.value = "shop"
          }
        ]
      }
      let found = try await f.run(RDS.describeDBClusters) { $0.dbClusterIdentifier = "orders" }
      let cluster = try #require(found.dbClusters?.first)
      #expect(cluster.dbClusterArn == "arn:aws:rds:us-east-1:000000000000:cluster:orders")
      #expect(cluster.status == "creating")
      #expect(cluster.port == 6432)
      #expect(cluster.backupRetentionPeriod == 7)
      #expect(cluster.serverlessV2ScalingConfiguration?.maxCapacity == 16)
      #expect(cluster.dbSubnetGroup == "data")
      #expect(cluster.vpcSecurityGroups?.count == 1)
      #expect(cluster.endpoint?.hasPrefix("127.") == true)
      #expect(cluster.endpoint != cluster.readerEndpoint)
      #expect(cluster.tagList?.first?.value == "shop")
      let tags = try await f.run(RDS.listTagsForResource) { $0.resourceName = cluster.dbClusterArn ?? "" }
      #expect(tags.tagList?.map(\.key) == ["team"])
      let users = try await f.run(RDS.describeDBClusterParameters) {
        $0.dbClusterParameterGroupName = "tuned"
        $0.source = "user"
      }
      #expect(users.parameters?.map(\.parameterName) == ["log_statement"])
      #expect(
        try await f.refusal(RDS.deleteDBSubnetGroup) { $0.dbSubnetGroupName = "data" }?.code
          == "InvalidDBSubnetGroupStateFault")
      let protected = try await f.refusal(RDS.deleteDBCluster) {
        $0.dbClusterIdentifier = "orders"
        $0.skipFinalSnapshot = true
      }
      #expect(protected?.code == "InvalidParameterCombination")
    }
  }

  @Test("errors have AWS's codes and statuses")
  func errors() async throws {
    try await DataFixture.quiet { f in
      func code(_ error: AWSError?) -> String { error.map { "\($0.code) \($0.status)" } ?? "none" }
      #expect(
        code(try await f.refusal(RDS.describeDBClusters) { $0.dbClusterIdentifier = "none" })
          == "DBClusterNotFoundFault 404")
      #expect(
        code(try await f.refusal(RDS.describeDBInstances) { $0.dbInstanceIdentifier = "none" })
          == "DBInstanceNotFound 404")
      try await create(f)
      do { try await create(f) } catch let error as AWSError {
        #expect(code(error) == "DBClusterAlreadyExistsFault 400")
      }
      func refused(_ configure: (inout RDS.CreateDBClusterMessage) -> Void) async throws -> String {
        code(
          try await f.refusal(RDS.createDBCluster) {
            $0.dbClusterIdentifier = "second"
            $0.engine = "aurora-postgresql"
            $0.masterUsername = "castle"
            $0.masterUserPassword = "open-sesame-1"
            configure(&$0)
          })
      }
      #expect(try await refused { $0.engine = "aurora-mysql" } == "NotImplemented 501")
      #expect(try await refused { $0.enableHttpEndpoint = true } == "NotImplemented 501")
      #expect(try await refused { $0.masterUserPassword = "short" } == "InvalidParameterValue 400")
      #expect(try await refused { $0.engineVersion = "15.99" } == "InvalidParameterCombination 400")
      #expect(try await refused { $0.dbSubnetGroupName = "none" } == "DBSubnetGroupNotFoundFault 404")
      #expect(try await refused { $0.dbClusterParameterGroupName = "none" } == "DBClusterParameterGroupNotFound 404")
      #expect(try await refused { $0.kmsKeyId = "alias/none" } == "KMSKeyNotAccessibleFault 400")
      #expect(try await refused { $0.vpcSecurityGroupIds = ["sg-0123456789abcdef0"] } == "InvalidParameterValue 400")

      let serverless = try await f.refusal(RDS.createDBInstance) {
        $0.dbInstanceIdentifier = "a"
        $0.dbClusterIdentifier = "orders"
        $0.dbInstanceClass = "db.serverless"
        $0.engine = "aurora-postgresql"
      }
      #expect(code(serverless) == "InvalidParameterCombination 400")
      let alone = try await f.refusal(RDS.createDBInstance) {
        $0.dbInstanceIdentifier = "a"
        $0.dbInstanceClass = "db.t3.medium"
        $0.engine = "postgres"
      }
      #expect(code(alone) == "NotImplemented 501")
      let unsaid = try await f.refusal(RDS.deleteDBCluster) { $0.dbClusterIdentifier = "orders" }
      #expect(code(unsaid) == "InvalidParameterCombination 400")
      #expect(
        code(try await f.refusal(RDS.failoverDBCluster) { $0.dbClusterIdentifier = "orders" })
          == "InvalidDBClusterStateFault 400")
    }
  }
}
