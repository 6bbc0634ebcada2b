using FsCheck;
using FsCheck.Fluent;
using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>
/// Random lives of a tier that may remember few objects: there are never more (unless so many are pinned), each has a file and each file an object,
/// what is pinned or held stays, nothing leaves while all fit, and what is served was stored, over restarts with other bounds and kills.
/// </summary>
public sealed class TierObjectModelTests
{
    private const int Keys = 20;

    private enum Kind
    {
        Put,
        PutLarge,
        Read,
        Hold,
        LetGo,
        Pin,
        Unpin,
        Drop,
        Maintain,
        Restart,
        Kill,
    }

    [Fact]
    public void NeverMoreObjectsThanMayBeAndNoneLeavesWithoutNeed()
    {
        Gen<Step> step =
            from kind in Gen.Elements(
                Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.PutLarge, Kind.Read, Kind.Read, Kind.Hold, Kind.LetGo, Kind.Pin, Kind.Unpin,
                Kind.Drop, Kind.Maintain, Kind.Restart, Kind.Kill)
            from key in Gen.Choose(0, Keys - 1)
            select new Step(kind, key);

        Prop.ForAll(Gen.ListOf(step).ToArbitrary(), steps =>
        {
            using Life life = new();
            return steps.All(life.Apply);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(60)).WithStartSize(20).WithEndSize(80));
    }

    private sealed record Step(Kind Kind, int Key);

    private sealed class Life : IDisposable
    {
        private const long Quota = 16 << 20;
        private readonly TempDirectory _temp = new();
        private readonly ManualTimeProvider _time = new();
        private readonly ObjectVersion[] _versions = [.. Enumerable.Range(0, Keys).Select(i => Version($"k{i:00}", 5000 + i))];
        private readonly ObjectVersion _large = Version("large", 3 * Quota);
        private readonly HashSet<ObjectVersion> _stored = [];
        private HashSet<ObjectVersion> _there = [];
        private readonly HashSet<ObjectVersion> _pinned = [];
        private readonly Dictionary<ObjectVersion, FileSegment> _held = [];
        private Tier _tier;
        private int _bound = 6;
        private int _deaths;
        private bool _allFitted = true;
        private bool _isOpen;

        internal Life()
        {
            _tier = OpenHere();
        }

        private string Here => _temp[$"tier{_deaths}"];

        public void Dispose()
        {
            LetGo();
            if (_isOpen)
            {
                _tier.Dispose();
            }

            _temp.Dispose();
        }

        internal bool Apply(Step step)
        {
            ObjectVersion version = _versions[step.Key];
            switch (step.Kind)
            {
                case Kind.Put:
                    return TryPut(version, 0) && IsAsModelled();
                case Kind.PutLarge:
                    return TryPut(_large, step.Key * 32) && IsAsModelled();
                case Kind.Read:
                    _tier.Find(version)?.Touch();
                    break;
                case Kind.Hold:
                    Hold(version);
                    break;
                case Kind.LetGo:
                    LetGo();
                    _tier.MaintainOnce();
                    break;
                case Kind.Pin:
                    _tier.SetPin(Store, [version.Key], pinned: true);
                    _pinned.Add(version);
                    break;
                case Kind.Unpin:
                    _tier.SetPin(Store, [version.Key], pinned: false);
                    _pinned.Remove(version);

                    // More may have been pinned than fit at the last start; maintenance brings the number down.
                    _tier.MaintainOnce();
                    break;
                case Kind.Drop:
                    if (_tier.Drop(version.Id, pinnedToo: true, dryRun: false) > 0)
                    {
                        _held.Remove(version, out FileSegment segment);
                        segment.Dispose();
                    }

                    _stored.Remove(version);
                    _there.Remove(version);
                    break;
                case Kind.Maintain:
                    _time.Advance(TimeSpan.FromSeconds(5));
                    _tier.MaintainOnce();
                    break;
                case Kind.Restart:
                    LetGo();
                    _tier.Dispose();
                    _bound = 3 + (step.Key / 2);
                    _tier = OpenHere();
                    break;
                case Kind.Kill:
                    Kill();
                    break;
            }

            return IsAsModelled();
        }

        private Tier OpenHere()
        {
            // What fails to open is told, not that the one before is closed already.
            _isOpen = false;
            Tier opened = Open(Here, _time, Quota, new TierOwners([], maxOpenFiles: 2, maxObjects: _bound));
            _isOpen = true;
            return opened;
        }

        private bool TryPut(ObjectVersion version, int page)
        {
            bool isNew = _tier.Find(version) is null;

            // What is being written to the index is held meanwhile.
            _tier.FlushIndex();
            if (Put(_tier, version, page))
            {
                _stored.Add(version);
                return Holds(_tier, version, page);
            }

            // The large one leaves by sections, which make no place: it counts as one that must stay.
            int staying = _there.Append(_large).Count(other => _pinned.Contains(other) || _held.ContainsKey(other) || (other == _large && _stored.Contains(_large)));
            return isNew && staying >= _bound;
        }

        private void Hold(ObjectVersion version)
        {
            if (!_held.ContainsKey(version) && Holds(_tier, version, 0) && _tier.Find(version)!.TryGetSegment(0, PageBytes, out FileSegment segment) == SegmentStatus.Hit)
            {
                _held.Add(version, segment);
            }
        }

        private void LetGo()
        {
            foreach (FileSegment segment in _held.Values)
            {
                segment.Dispose();
            }

            _held.Clear();
        }

        private void Kill()
        {
            LetGo();
            _tier.FlushIndex();
            string before = Here;
            _deaths++;
            Seize(before, Here, sameFiles: true);
            Directory.CreateDirectory(Path.Combine(before, "objects"));
            _tier.Dispose();
            _tier = OpenHere();
        }

        private bool IsAsModelled()
        {
            HashSet<ObjectVersion> there = [.. _versions.Where(version => Holds(_tier, version, 0))];
            bool isLargeThere = _tier.PresentBytes(_large) > 0 || _tier.Find(_large) is not null;
            int count = there.Count + (isLargeThere ? 1 : 0);
            _allFitted &= _stored.Count <= _bound;
            foreach ((ObjectVersion version, FileSegment segment) in _held)
            {
                AssertExact(version, segment);
            }

            IEnumerable<ObjectVersion> mustBeThere = _there.Where(version => _pinned.Contains(version) || _held.ContainsKey(version));
            bool isKept = mustBeThere.All(there.Contains);
            _there = there;
            return isKept
                && count == _tier.Objects
                && count == Directory.EnumerateFiles(Path.Combine(Here, "objects"), "*", SearchOption.AllDirectories).Count()
                && count <= Math.Max(_bound, _pinned.Union(_held.Keys).Count(there.Contains) + (isLargeThere ? 1 : 0))
                && there.All(_stored.Contains)
                && (!_allFitted || count == _stored.Count)
                && _tier.IoErrors == 0;
        }
    }
}
