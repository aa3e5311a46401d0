import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compared, errorOf, median, spreadOf, undisturbed } from '../../bench/verdict.js';

/** Nine ratios whose median is `middle`, up to `noise` from it on both sides. */
const ratios = (middle: number, noise = 0) =>
  [-1, 1, -0.5, 0.5, 0, -0.25, 0.25, -0.75, 0.75].map((share) => middle + share * noise);
const verdict = (against: readonly number[], itself: readonly number[]) => compared(against, itself).verdict;

describe('whether a build is slower than another', () => {
  test('it is when it takes more than 3 % more, and always about as much', () => {
    assert.equal(verdict(ratios(1.031), ratios(1)), 'slower');
    assert.equal(verdict(ratios(1.029), ratios(1)), 'same');
    assert.equal(verdict(ratios(0.969), ratios(1)), 'faster');
    assert.equal(verdict(ratios(0.971), ratios(1)), 'same');
  });
  test('twice of what the new build differs from itself is needed', () => {
    assert.equal(verdict(ratios(1.05), ratios(0.974)), 'same');
    assert.equal(verdict(ratios(1.05), ratios(1.026)), 'same');
    assert.equal(verdict(ratios(1.05), ratios(1.024)), 'slower');
  });
  test('an A/A run whose rounds are far apart says nothing of small differences, though its median is 1', () => {
    assert.equal(verdict(ratios(1.05), ratios(1, 0.1)), 'same');
    assert.equal(verdict(ratios(1.3), ratios(1, 0.1)), 'slower');
  });
  test('nor do rounds that are far apart themselves', () => {
    assert.equal(verdict(ratios(1.05, 0.1), ratios(1)), 'same');
    assert.equal(verdict(ratios(1.05, 0.01), ratios(1)), 'slower');
  });
  test('a few wild rounds change nothing', () => {
    const wild = [...ratios(1.05, 0.01).slice(2), 5, 0.2];
    assert.equal(verdict(wild, ratios(1)), 'slower');
  });
  test('the figures come with the verdict', () => {
    const { difference, spread, error } = compared(ratios(1.1), ratios(0.98));
    assert.ok(Math.abs(difference - 0.1) < 1e-9);
    assert.ok(Math.abs(spread - 0.02) < 1e-9);
    assert.equal(error, 0);
  });
});

test('the standard error is that of a median', () => {
  // The median deviation is 0.05.
  assert.ok(Math.abs(errorOf(ratios(1, 0.1)) - (1.2533 * 1.4826 * 0.05) / 3) < 1e-9);
  assert.equal(spreadOf(ratios(1, 0.1)), errorOf(ratios(1, 0.1)));
});

test('a median of an even number of values is between the middle ones', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
});

test('a round is what its undisturbed pieces say', () => {
  assert.equal(undisturbed([3]), 3);
  assert.equal(undisturbed([9, 2, 1, 8, 3, 7, 4, 6, 5]), 3);
  assert.equal(undisturbed([2, 2, 2, 50, 90, 2, 70, 2, 60]), 2);
  assert.ok(Number.isNaN(undisturbed([])));
});
