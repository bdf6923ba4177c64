"""Tests of catalog/desk."""
