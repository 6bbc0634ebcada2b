using FsCheck;
using FsCheck.Fluent;
using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>
/// Random lives of a tier that holds an object of three times its quota, against the bytes that were ever put: whatever is served is exact and was put,
/// what is held stays, a clean restart loses nothing, a kill serves no hole, and quota and disk agree after every step.
/// </summary>
public sealed class PartialModelTests
{
    private const long Quota = 16 << 20;
    private const int Pages = 3 * (int)(Quota / PageBytes);
    private const int RunPages = 48;

    private enum Kind
    {
        Put,
        PutOther,
        Hold,
        LetGo,
        Drop,
        Restart,
        Kill,
        LateKill,
    }

    [Fact]
    public void WhatIsServedIsExactWhateverLeaves()
    {
        Gen<Step> step =
            from kind in Gen.Elements(Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.PutOther, Kind.Hold, Kind.LetGo, Kind.Drop, Kind.Restart, Kind.Kill, Kind.LateKill)
            from page in Gen.Choose(0, Pages - 1)
            select new Step(kind, page);

        Prop.ForAll(Gen.ListOf(step).ToArbitrary(), steps =>
        {
            using Life life = new();
            return steps.All(life.Apply);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(30)).WithStartSize(20).WithEndSize(60));
    }

    private sealed record Step(Kind Kind, int Page);

    private sealed class Life : IDisposable
    {
        private readonly TempDirectory _temp = new();
        private readonly ManualTimeProvider _time = new();
        private readonly ObjectVersion _version = Version("large", Pages * (long)PageBytes);
        private readonly HashSet<int> _put = [];
        private readonly List<FileSegment> _held = [];
        private Tier _tier;
        private int _deaths;
        private int _others;

        internal Life()
        {
            _tier = OpenHere();
        }

        private string Here => _temp[$"tier{_deaths}"];

        public void Dispose()
        {
            LetGo();
            _tier.Dispose();
            _temp.Dispose();
        }

        internal bool Apply(Step step)
        {
            switch (step.Kind)
            {
                case Kind.Put:
                    for (int page = step.Page; page < Math.Min(Pages, step.Page + RunPages); page++)
                    {
                        // Refused when all room is held.
                        _put.Add(page);
                        Put(_tier, _version, page);
                    }

                    break;
                case Kind.PutOther:
                    PutAll(_tier, Version($"other {_others++}", 5 * PageBytes));
                    break;
                case Kind.Hold:
                    Hold(step.Page);
                    break;
                case Kind.LetGo:
                    LetGo();
                    break;
                case Kind.Drop:
                    _put.Clear();
                    _tier.Drop(_version.Id, pinnedToo: false, dryRun: false);
                    break;
                case Kind.Restart:
                    Restart();
                    break;
                case Kind.Kill:
                    Die(afterwards: null);
                    break;
                case Kind.LateKill:
                    Die(afterwards: step.Page);
                    break;
            }

            AssertAsModelled();
            return true;
        }

        private Tier OpenHere() => Open(Here, _time, Quota);

        private void Hold(int from)
        {
            for (int page = from; page < Pages && _held.Count < 2; page++)
            {
                if (_tier.Find(_version)?.TryGetSegment((long)page * PageBytes, 3 * PageBytes, out FileSegment segment) == SegmentStatus.Hit)
                {
                    _held.Add(segment);
                    return;
                }
            }
        }

        private void LetGo()
        {
            _held.ForEach(segment => segment.Dispose());
            _held.Clear();
        }

        private void Restart()
        {
            LetGo();
            _tier.MaintainOnce();
            List<int> before = Present();
            _tier.Dispose();
            _tier = OpenHere();
            Assert.Equal(before, Present());
        }

        /// <summary>Killed as the index is now; with <paramref name="afterwards"/>, after more was filled and punched that the index knows nothing of.</summary>
        private void Die(int? afterwards)
        {
            LetGo();
            _tier.MaintainOnce();
            _tier.FlushIndex();
            string before = Here;
            _deaths++;
            Directory.CreateDirectory(Here);
            foreach (string path in Directory.EnumerateFiles(before).Where(path => Path.GetFileName(path) != "lock"))
            {
                File.Copy(path, Path.Combine(Here, Path.GetFileName(path)));
            }

            int from = afterwards ?? Pages;
            for (int page = from; page < Math.Min(Pages, from + (3 * RunPages)); page++)
            {
                Put(_tier, _version, page);
            }

            Directory.Move(Path.Combine(before, "objects"), Path.Combine(Here, "objects"));
            Directory.CreateDirectory(Path.Combine(before, "objects"));
            _tier.Dispose();
            _tier = OpenHere();
        }

        private List<int> Present() => [.. Enumerable.Range(0, Pages).Where(page => Holds(_tier, _version, page))];

        private void AssertAsModelled()
        {
            foreach (FileSegment segment in _held)
            {
                AssertExact(_version, segment);
            }

            // Whatever maintenance makes go is gone before anything is compared.
            _tier.MaintainOnce();

            // Holds() compares the bytes.
            Assert.All(Present(), page => Assert.Contains(page, _put));
            long disk = DiskBytes(Here);
            Assert.InRange(_tier.UsedBytes, 0, Quota + (Quota / 100));
            Assert.InRange(disk, 0, _tier.UsedBytes - _tier.IndexBytes + (Quota / 100));
            Assert.Equal((0, 0), (_tier.CorruptPages, _tier.IoErrors));
        }
    }
}
