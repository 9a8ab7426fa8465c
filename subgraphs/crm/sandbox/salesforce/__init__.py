"""A Salesforce org on loopback: OAuth, SOQL, sObject rows, Collections and conditional updates over the believable company."""
