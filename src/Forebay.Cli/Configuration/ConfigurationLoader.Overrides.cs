using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Cli.Configuration;

/// <summary>The environment and the flags.</summary>
internal sealed partial class ConfigurationLoader
{
    private static readonly char[] WhiteSpace = [' ', '\t', '\n', '\r'];

    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    private void ReadEnvironment()
    {
        Override(KnownOptions.Top, "FOREBAY", (row, setting) => _top = row.Apply(_top, setting, _faults));
        Override(KnownOptions.S3, "FOREBAY_S3", (row, setting) => _s3 = row.Apply(_s3, setting, _faults));
        Override(KnownOptions.Admin, "FOREBAY_ADMIN", (row, setting) => _admin = row.Apply(_admin, setting, _faults));
        Override(KnownOptions.Fill, "FOREBAY_FILL", (row, setting) => _fill = row.Apply(_fill, setting, _faults));
        Override(KnownOptions.Limits, "FOREBAY_LIMITS", (row, setting) => _limits = row.Apply(_limits, setting, _faults));
        Override(KnownOptions.Log, "FOREBAY_LOG", (row, setting) => _log = row.Apply(_log, setting, _faults));

        if (Variable("FOREBAY_MOUNTS") is { } mounts)
        {
            ReadMountArguments(mounts.Split(WhiteSpace, StringSplitOptions.RemoveEmptyEntries), "FOREBAY_MOUNTS");
        }

        if (Variable("FOREBAY_CACHE") is { } caches)
        {
            ReadCacheArguments(caches.Split(WhiteSpace, StringSplitOptions.RemoveEmptyEntries), "FOREBAY_CACHE");
        }

        ReadKeyPair();
    }

    private void ReadFlags()
    {
        // Mount points named by a flag exist only now, but their variables still stand below the flag itself.
        ReadMountArguments(_input.MountFlags, "--mount");
        foreach (MountDraft draft in _mounts)
        {
            bool isFlag = _input.MountFlags.Any(flag => flag.StartsWith($"{draft.Name}=", StringComparison.Ordinal));
            Override(KnownOptions.Mount, $"FOREBAY_MOUNT_{EnvironmentName.From(draft.Name)}", (row, setting) =>
            {
                if (!isFlag || row.Key is not "source")
                {
                    BindMountOption(draft, row, setting);
                }
            });
        }

        if (_input.CacheFlags.Count > 0)
        {
            ReadCacheArguments(_input.CacheFlags, "--cache");
        }

        if (_input.PresetFlag is { } preset)
        {
            _top = KnownOptions.Top.Find("preset")!.Apply(_top, Given("--preset", "the preset", preset), _faults);
        }

        if (_input.S3Flag is { } s3)
        {
            _s3 = KnownOptions.S3.Rows[0].Apply(_s3, Given("--s3", "the address", s3), _faults);
        }

        if (_input.AdminFlag is { } admin)
        {
            _admin = KnownOptions.Admin.Rows[0].Apply(_admin, Given("--admin", "the address", admin), _faults);
        }
    }

    /// <summary>Binds what the environment says of a table's options, or of some of them.</summary>
    private void Override<T>(OptionTable<T> table, string prefix, Action<KnownOption<T>, Setting> bind, params IReadOnlyCollection<string> only)
    {
        foreach (KnownOption<T> row in table.Rows)
        {
            string name = row.ToEnvironmentName(prefix);
            if ((only.Count == 0 || only.Contains(row.Key, StringComparer.Ordinal)) && Variable(name) is { } value)
            {
                bind(row, Given(name, "the value", value));
            }
        }
    }

    private void ReadMountArguments(IEnumerable<string> arguments, string from)
    {
        Place place = Place.Outside(from);
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (string argument in arguments)
        {
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || argument.AsSpan(0, equals).Contains("://", StringComparison.Ordinal))
            {
                _faults.Add(place, $"a mount point is given as NAME=URL, for instance data={SourceUrl.Form}.");
                continue;
            }

            string name = argument[..equals];
            if (!names.Add(name))
            {
                _faults.Add(place, $"the name \"{Shorten(name)}\" is given twice; every mount point needs its own.");
            }
            else
            {
                BindMountOption(Mount(name, place), KnownOptions.Mount.Rows[0], Given(from, Shorten(name), argument[(equals + 1)..]));
            }
        }
    }

    /// <summary>Replaces all cache directories given so far.</summary>
    private void ReadCacheArguments(IReadOnlyList<string> arguments, string from)
    {
        _cacheGiven = true;
        _tiers.Clear();
        if (arguments is ["none"])
        {
            return;
        }

        foreach (string argument in arguments)
        {
            // From the right, because a directory may hold colons.
            List<string> parts = [.. argument.Split(':')];
            string medium = "SSD";
            if (parts.Count > 2 && !ByteSize.TryParse(parts[^1], out _))
            {
                medium = parts[^1];
                parts.RemoveAt(parts.Count - 1);
            }

            string directory = string.Join(':', parts[..^1]);
            if (directory.Length == 0)
            {
                _faults.Add(Place.Outside(from), "a cache directory is given as DIR:QUOTA or DIR:QUOTA:MEM|SSD|HDD, for instance /mnt/nvme/forebay:500Gi; \"none\" serves without a cache.");
                continue;
            }

            TierDraft draft = new(directory, Place.Outside(from));
            _tiers.Add(draft);
            Set("directory", directory);
            Set("quota", parts[^1]);
            Set("medium", medium);

            void Set(string key, string value)
            {
                KnownOption<TierOptions> row = KnownOptions.Tier.Find(key)!;
                draft.Value = row.Apply(draft.Value, Given(from, $"{key} of {directory}", value), _faults);
            }
        }
    }

    /// <summary>The key pair of the endpoint that comes from the environment, the node's owner's; it replaces one of the file with the same id.</summary>
    private void ReadKeyPair()
    {
        const string idName = "FOREBAY_ACCESS_KEY_ID";
        KeyDraft draft = new("the key pair of the environment", Place.Outside(idName));
        draft.Value = draft.Value with { Rights = KeyRights.ReadWrite };
        Override(KnownOptions.Key, "FOREBAY", (row, setting) => draft.Value = row.Apply(draft.Value, setting, _faults), "access-key-id", "secret-access-key", "secret-access-key-file");
        if (draft.Value is { AccessKeyId: "", SecretAccessKey: null })
        {
            return;
        }

        _keys.RemoveAll(key => string.Equals(key.Value.AccessKeyId, draft.Value.AccessKeyId, StringComparison.Ordinal));
        _keys.Add(draft);
    }

    /// <summary>
    /// Only where a name was probably meant to be one of ours, and only a warning: others may use the prefix, and Kubernetes makes variables of it
    /// for a service that is called forebay.
    /// </summary>
    private void WarnOfUnknownVariables()
    {
        const string prefix = "FOREBAY_";
        foreach (string name in _input.EnvironmentNames.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Except(_asked, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (NearestName.Find(name, _asked, mostEdits: 2) is { } nearest)
            {
                _faults.Warn(Place.Outside(Shorten(name)), $"this variable is not an option and changes nothing; did you mean {nearest}?");
            }
        }
    }

    private string? Variable(string name)
    {
        _asked.Add(name);
        return _input.Environment(name) is { Length: > 0 } value ? value : null;
    }

    private Setting Given(string from, string name, string value)
        => new(Place.Outside(from), name, new YamlScalar(value, 0), _input.WorkingDirectory);
}
