terraform { required_version = ">= 1.12" }
resource "aws_s3_bucket" "orders" {
  bucket = "example-orders-eu"
  tags   = { Name = "orders", CostCenter = "4711" }
}
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name = "orders-5xx"
  threshold  = 10
  period     = 60
  dimensions = { LoadBalancer = "app/orders/50dc6c495c0c9188" }
}
# Plan: 2 to add, 0 to change, 0 to destroy.
