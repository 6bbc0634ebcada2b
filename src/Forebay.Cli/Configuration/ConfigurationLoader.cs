using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Options;

namespace Forebay.Cli.Configuration;

/// <summary>
/// Brings file, environment and flags together. Every fault is found in one go:
/// 1. the file, 2. the environment over it, 3. the flags over both, 4. presets below all that, 5. checks of the whole, 6. defaults that
/// depend on the machine.
/// </summary>
internal sealed partial class ConfigurationLoader
{
    private readonly ConfigurationInput _input;
    private readonly Faults _faults = new();
    private readonly List<MountDraft> _mounts = [];
    private readonly List<TierDraft> _tiers = [];
    private readonly List<KeyDraft> _keys = [];
    private bool _cacheGiven;

    private TopConfiguration _top = new();
    private FillOptions _fill = new();
    private LimitOptions _limits = new();
    private S3Configuration _s3 = new();
    private AdminConfiguration _admin = new();
    private LogConfiguration _log = new();
    private Place _s3Place = Place.Outside("s3");
    private Place _fillPlace = Place.Outside("fill");

    private ConfigurationLoader(ConfigurationInput input) => _input = input;

    /// <summary>Loads and checks everything.</summary>
    public static ConfigurationResult Load(ConfigurationInput input)
    {
        ConfigurationLoader loader = new(input);
        return loader.Load();
    }

    private ConfigurationResult Load()
    {
        // Step 1: the file.
        if (_input.File is not null)
        {
            ReadFile(_input.File);
        }

        // Step 2: the environment.
        ReadEnvironment();

        // Step 3: the flags.
        ReadFlags();
        WarnOfUnknownVariables();

        // Step 4: presets.
        ApplyPresets();

        // Step 5: the whole.
        CheckMounts();
        CheckTiers();
        CheckKeys();
        CheckEndpoints();
        CheckFill();
        if (_faults.Any)
        {
            return new ConfigurationResult(null, _faults.All, _faults.Warnings);
        }

        // Step 6: what depends on the machine.
        IReadOnlyList<TierOptions> tiers = _cacheGiven ? [.. _tiers.Select(draft => draft.Value)] : [DefaultCache.Choose(_input)];
        IReadOnlyList<MountConfiguration> mounts = [.. _mounts.Select(draft => draft.Value)];
        ForebayConfiguration configuration = new()
        {
            Preset = _top.Preset,
            Engine = _top.Engine with { MountPoints = [.. mounts.Select(mount => mount.Engine)], Tiers = tiers, Fill = _fill, Limits = _limits },
            Mounts = mounts,
            S3 = _s3,
            Keys = [.. _keys.Select(draft => draft.Value)],
            Admin = _admin,
            Log = _log,
            DefaultCache = !_cacheGiven,
        };
        return new ConfigurationResult(configuration, [], _faults.Warnings);
    }

    /// <summary>Adds or finds the mount point of a name; one that cannot be a name is reported, and looked at for what else is wrong.</summary>
    private MountDraft Mount(string name, Place place)
    {
        if (!IsMountName(name))
        {
            _faults.Add(place, $"\"{Shorten(name)}\" cannot name a mount point; a name has 3 to 63 characters of a-z 0-9 . - and begins and ends with a letter or digit.");
        }

        MountDraft? draft = _mounts.Find(mount => string.Equals(mount.Name, name, StringComparison.Ordinal));
        if (draft is null)
        {
            draft = new MountDraft(name, place);
            _mounts.Add(draft);
        }

        return draft;
    }

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "…";

    private static bool IsMountName(string name)
        => name.Length is >= 3 and <= 63
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-')
            && char.IsAsciiLetterOrDigit(name[0])
            && char.IsAsciiLetterOrDigit(name[^1]);

    /// <summary>Binds one option of a mount point; its source may bring others with it.</summary>
    private void BindMountOption(MountDraft draft, KnownOption<MountConfiguration> row, Setting setting)
    {
        draft.Given.Add(row.Key);
        draft.Value = row.Apply(draft.Value, setting, _faults);
        if (row.Key is "source" && setting.Value is YamlScalar { Text: { Length: > 0 } url })
        {
            BindSource(draft, url, setting);
        }
    }

    /// <summary>What a preset says of options that nobody gave.</summary>
    private void ApplyPresets()
    {
        foreach (MountDraft draft in _mounts)
        {
            if ((draft.Value.Preset ?? _top.Preset) is not { } name || Preset.Find(name) is not { } preset)
            {
                continue;
            }

            draft.Value = draft.Value with { Preset = preset.Name };
            foreach ((string key, string value) in preset.Values.Where(pair => !draft.Given.Contains(pair.Key)))
            {
                Setting setting = new(draft.Place, $"preset {preset.Name}: {key}", new YamlScalar(value, draft.Place.Line), "/");
                draft.Value = KnownOptions.Mount.Find(key)!.Apply(draft.Value, setting, _faults);
            }
        }
    }

    private void BindSource(MountDraft draft, string url, Setting setting)
    {
        draft.SourceGiven = true;
        SourceUrl? source = SourceUrl.TryParse(url, out IReadOnlyList<(string Name, string Value)> query, out string fault);
        if (source is null)
        {
            _faults.Add(setting.Place, $"{setting.Name}: {fault}");
            return;
        }

        draft.Value = draft.Value with { Source = source, Engine = draft.Value.Engine with { Source = source.ToString(), Prefix = source.Prefix } };
        foreach ((string name, string value) in query)
        {
            if (!KnownOptions.UrlOptions.Contains(name, StringComparer.Ordinal))
            {
                string? nearest = NearestName.Find(name, KnownOptions.UrlOptions);
                string remedy = nearest is null ? $"known are {string.Join(", ", KnownOptions.UrlOptions)}." : $"did you mean \"{nearest}\"?";
                _faults.Add(setting.Place, $"{setting.Name}: \"{Shorten(name)}\" cannot stand in a URL; {remedy}");
                continue;
            }

            KnownOption<MountConfiguration> row = KnownOptions.Mount.Find(name)!;
            draft.Value = row.Apply(draft.Value, setting with { Name = $"{setting.Name}?{name}", Value = new YamlScalar(value, setting.Place.Line) }, _faults);
        }
    }

    private sealed class MountDraft(string name, Place place)
    {
        public string Name => name;

        public Place Place => place;

        public bool SourceGiven { get; set; }

        /// <summary>Options that were given; presets leave them alone.</summary>
        public HashSet<string> Given { get; } = new(StringComparer.Ordinal);

        public MountConfiguration Value { get; set; } = new() { Engine = new MountPointOptions { Name = name, Source = "" } };
    }

    private sealed class TierDraft(string name, Place place)
    {
        public string Name => name;

        public Place Place => place;

        public TierOptions Value { get; set; } = new() { Directory = "", QuotaBytes = 0 };
    }

    private sealed class KeyDraft(string name, Place place)
    {
        public string Name => name;

        public Place Place => place;

        public KeyConfiguration Value { get; set; } = new();
    }
}
