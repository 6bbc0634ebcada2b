using FsCheck;
using FsCheck.Fluent;
using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>
/// Random lives of a tier against a set of what was committed: nothing committed is lost, and nothing is there that was not committed,
/// over restarts, kills, unloading, drops and flipped bits.
/// </summary>
public sealed class TierModelTests
{
    private const int Keys = 3;
    private const int Pages = 3;

    private enum Kind
    {
        Put,
        Interrupt,
        Drop,
        Unload,
        Restart,
        Kill,
        Flip,
    }

    [Fact]
    public void NoCommittedPageIsLostAndNoOtherAppears()
    {
        Gen<Step> step =
            from kind in Gen.Elements(Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Put, Kind.Interrupt, Kind.Drop, Kind.Unload, Kind.Restart, Kind.Kill, Kind.Flip)
            from key in Gen.Choose(0, Keys - 1)
            from page in Gen.Choose(0, Pages - 1)
            select new Step(kind, key, page);

        Prop.ForAll(Gen.ListOf(step).ToArbitrary(), steps =>
        {
            using Life life = new();
            return steps.All(life.Apply);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(40)).WithEndSize(40));
    }

    private sealed record Step(Kind Kind, int Key, int Page);

    private sealed class Life : IDisposable
    {
        private readonly TempDirectory _temp = new();
        private readonly ManualTimeProvider _time = new();
        private readonly ObjectVersion[] _versions = [.. Enumerable.Range(0, Keys).Select(i => Version($"{i}", (Pages * PageBytes) - (i * 1000)))];
        private readonly HashSet<(int Key, int Page)> _model = [];
        private Tier _tier;
        private int _deaths;

        internal Life()
        {
            _tier = OpenHere();
        }

        private string Here => _temp[$"tier{_deaths}"];

        public void Dispose()
        {
            _tier.Dispose();
            _temp.Dispose();
        }

        internal bool Apply(Step step)
        {
            ObjectVersion version = _versions[step.Key];
            switch (step.Kind)
            {
                case Kind.Put:
                    _model.Add((step.Key, step.Page));
                    if (!Put(_tier, version, step.Page))
                    {
                        return false;
                    }

                    break;
                case Kind.Interrupt:
                    Interrupt(version, step.Page);
                    break;
                case Kind.Drop:
                    _model.RemoveWhere(pair => pair.Key == step.Key);
                    _tier.Drop(version.Id, pinnedToo: false, dryRun: false);
                    break;
                case Kind.Unload:
                    _time.Advance(TimeSpan.FromSeconds(5));
                    _tier.MaintainOnce();
                    break;
                case Kind.Restart:
                    _tier.Dispose();
                    _tier = OpenHere();
                    break;
                case Kind.Kill:
                    Kill();
                    break;
                case Kind.Flip:
                    _tier.Dispose();
                    Flip(step);
                    _tier = OpenHere();
                    break;
            }

            return IsAsModelled();
        }

        private Tier OpenHere() => Open(Here, _time, owners: new TierOwners([], maxOpenFiles: 1));

        private void Interrupt(ObjectVersion version, int page)
        {
            CacheFile? file = _tier.FindOrCreate(version);
            if (file is null || !file.TryAcquire(out _))
            {
                return;
            }

            if (file.Reserve(page) == ReserveStatus.Reserved)
            {
                file.Write((long)page * PageBytes, PageOf(version, page).AsSpan(0, 777));
            }

            file.Release();
        }

        private void Kill()
        {
            _tier.FlushIndex();
            string before = Here;
            _deaths++;
            Seize(before, Here, sameFiles: true);
            Directory.CreateDirectory(Path.Combine(before, "objects"));
            _tier.Dispose();
            _tier = OpenHere();
        }

        private void Flip(Step step)
        {
            string? path = Directory.GetFiles(Path.Combine(Here, "objects", _versions[step.Key].Id.ToString()[..2]), _versions[step.Key].Id + "*").SingleOrDefault();
            if (path is not null)
            {
                FlipByte(path, ((long)step.Page * PageBytes) + 5);
                _model.Remove((step.Key, step.Page));
            }
        }

        private bool IsAsModelled()
        {
            for (int key = 0; key < Keys; key++)
            {
                for (int page = 0; page < Pages; page++)
                {
                    if (Holds(_tier, _versions[key], page) != _model.Contains((key, page)))
                    {
                        return false;
                    }
                }
            }

            return _tier.IoErrors == 0;
        }
    }
}
