# HTTPS for callers that have no AWS SDK, behind a firewall, from within the VPC of examples/complete. Requests up to 10 MB
# and 29 s: limits of API Gateway.
module "private_api" {
  source = "../../modules/private_api"

  name          = var.name
  endpoint_name = var.endpoint_name
  vpc_id        = var.vpc_id
  subnet_ids    = var.subnet_ids
  kms_key_arn   = var.kms_key_arn

  caller_security_group_ids = { callers = var.callers_security_group_id }
}

# The callers' group lets out what it names: the interface endpoints of examples/complete, and this one.
resource "aws_vpc_security_group_egress_rule" "callers" {
  security_group_id            = var.callers_security_group_id
  description                  = "Private API ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = module.private_api.security_group_id
}
